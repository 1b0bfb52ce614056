// The manifests, settings and partition tables that mcconfig is given, read as it reads them: without an SDK this is
// what shows that a build for the chip finds everything.
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path/posix";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { parseSettings } from "../cli/firmware/project-checks.js";
import { parsePartitionsCsv } from "../cli/image/partition-table.js";
import { PROJECT_ROOT } from "../cli/image/project-root.js";
import { CONNECTIONS_MAX } from "../src/adapters/push-server.js";
import { QUICK_POLL_MS } from "../src/adapters/tcp-connection.js";
import { IDENTITY_PARTITION, IDENTITY_SECTORS } from "../src/protocol/identity.js";
import { IMAGE_MAX_BYTES, SECTOR_BYTES } from "../src/protocol/limits.js";
import { readManifest } from "./support/mcconfig-manifest.js";

const MANIFESTS = ["manifest.json", "manifest-qemu.json", "manifest-8mb.json"] as const;
const APP_ALIGNMENT_BYTES = 0x10000;
/** CONFIG_LWIP_TCP_MSS of the SDK. */
const SEGMENT_BYTES = 1436;

/** Modules of the SDK that the firmware imports, and the manifest of the SDK that brings each. */
const SDK_MODULES: Readonly<Record<string, string>> = {
	timer: "$(MODDABLE)/modules/io/manifest.json",
	"embedded:io/digital": "$(MODDABLE)/modules/io/manifest.json",
	"embedded:io/socket/udp": "$(MODDABLE)/modules/io/manifest.json",
	"embedded:network/interface/wifi": "$(MODDABLE)/modules/io/manifest.json",
	"embedded:storage/key-value": "$(MODDABLE)/modules/io/storage/manifest.json",
};

function read(path: string): string {
	return readFileSync(join(PROJECT_ROOT, path), "utf8");
}

function parse(file: string): ts.SourceFile {
	return ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
}

/** Specifiers that remain at run time. */
function importsOf(file: string): string[] {
	return parse(file).statements.flatMap((node) => {
		if (ts.isImportDeclaration(node)) {
			if (node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
			const bindings = node.importClause?.namedBindings;
			const isTypeOnly =
				bindings &&
				ts.isNamedImports(bindings) &&
				!node.importClause?.name &&
				bindings.elements.length > 0 &&
				bindings.elements.every((element) => element.isTypeOnly);
			return isTypeOnly ? [] : [(node.moduleSpecifier as ts.StringLiteral).text];
		}
		if (ts.isExportDeclaration(node) && node.moduleSpecifier && !node.isTypeOnly)
			return [(node.moduleSpecifier as ts.StringLiteral).text];
		return [];
	});
}

function resolveSpecifier(specifier: string, importer: string): string {
	return specifier.startsWith(".") ? join(importer, "..", specifier).replace(/\.js$/, "") : specifier;
}

/** What a module body does that must not be done when the image is built (preload): everything but declaring. */
function undeclarative(file: string): string[] {
	const found: string[] = [];
	for (const node of parse(file).statements) {
		if (ts.isVariableStatement(node)) {
			if (!(node.declarationList.flags & ts.NodeFlags.Const)) found.push(`let: ${node.getText()}`);
			for (const { initializer } of node.declarationList.declarations)
				if (initializer && hasCall(initializer)) found.push(`call: ${node.getText()}`);
		} else if (ts.isClassDeclaration(node)) {
			for (const member of node.members)
				if (isStaticField(member) || ts.isClassStaticBlockDeclaration(member))
					found.push(`static: ${member.getText()}`);
		} else if (!isDeclaration(node)) found.push(node.getText());
	}
	return found;
}

function isStaticField(member: ts.ClassElement): boolean {
	return (
		ts.isPropertyDeclaration(member) &&
		(member.modifiers ?? []).some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword)
	);
}

function isDeclaration(node: ts.Statement): boolean {
	return (
		ts.isImportDeclaration(node) ||
		ts.isExportDeclaration(node) ||
		ts.isFunctionDeclaration(node) ||
		ts.isInterfaceDeclaration(node) ||
		ts.isTypeAliasDeclaration(node)
	);
}

/** Outside functions: a call or an instance made when the module body runs. */
function hasCall(node: ts.Node): boolean {
	if (ts.isFunctionLike(node)) return false;
	if (ts.isCallExpression(node) || ts.isNewExpression(node) || ts.isTaggedTemplateExpression(node))
		return true;
	return ts.forEachChild(node, hasCall) ?? false;
}

describe.each(MANIFESTS)("%s", (name) => {
	const manifest = readManifest(name);

	test("names only files that exist, and folders for settings and partitions that do", () => {
		expect(manifest.problems).toEqual([]);
		expect(
			existsSync(join(PROJECT_ROOT, manifest.build.get("SDKCONFIGPATH") ?? "", "sdkconfig.defaults")),
		).toBe(true);
		expect(existsSync(join(PROJECT_ROOT, manifest.build.get("PARTITIONS_FILE") ?? ""))).toBe(true);
	});

	test("gives every C file a name of its own, which no file of the SDK has: objects are named by it", () => {
		const names = manifest.natives.filter((file) => file.endsWith(".c")).map((file) => basename(file));
		expect(names.length).toBeGreaterThan(5);
		expect(new Set(names).size).toBe(names.length);
		for (const native of names) expect(native).toMatch(/^fota-/);
	});

	test("provides every module that can be reached from main", () => {
		const missing: string[] = [];
		const seen = new Set<string>();
		const visit = (specifier: string, importer: string): void => {
			if (seen.has(specifier)) return;
			seen.add(specifier);
			const file = manifest.modules.get(specifier);
			if (file !== undefined) {
				for (const next of importsOf(file)) visit(resolveSpecifier(next, specifier), specifier);
			} else if (!manifest.sdkIncludes.includes(SDK_MODULES[specifier] ?? "")) {
				missing.push(`${specifier}, imported by ${importer}`);
			}
		};
		visit("main", "");
		expect(missing).toEqual([]);
		expect(seen.size).toBeGreaterThan(50);
	});

	test("preloads every module that main reaches, and nothing that is not there", () => {
		const preload = new Set(manifest.preload);
		expect([...preload].filter((specifier) => !manifest.modules.has(specifier))).toEqual([]);
		// Left out of an image it would still work, but live in RAM.
		const unreached = ["adapters/interface-ethernet"];
		const absent = [...manifest.modules.keys()].filter((specifier) => !preload.has(specifier));
		expect(absent.filter((specifier) => !unreached.includes(specifier))).toEqual([]);
	});

	test("preloads only declarations: module bodies run on the machine that builds the image", () => {
		const wrong = [...manifest.modules.values()].flatMap((file) =>
			undeclarative(file).map((text) => `${file}: ${text.slice(0, 80)}`),
		);
		expect(wrong).toEqual([]);
	});
});

describe("a manifest of a board", () => {
	test("has settings that differ from the others' only where the board does", () => {
		const base = read("sdkconfig/sdkconfig.defaults");
		expect(read("sdkconfig/qemu/sdkconfig.defaults").startsWith(base)).toBe(true);
		expect(read("sdkconfig/8mb/sdkconfig.defaults").startsWith(base)).toBe(true);
	});
});

describe("sdkconfig", () => {
	const settings = parseSettings(read("sdkconfig/sdkconfig.defaults"));

	test("has what the update's safety stands on", () => {
		expect(Object.fromEntries(settings)).toMatchObject({
			CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE: "y",
			CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS: "n",
			CONFIG_ESP_TASK_WDT_EN: "y",
			CONFIG_ESP_TASK_WDT_INIT: "y",
			CONFIG_ESP_TASK_WDT_PANIC: "y",
			CONFIG_ESP_SYSTEM_PANIC_PRINT_REBOOT: "y",
			CONFIG_ESP_SYSTEM_PANIC_GDBSTUB: "n",
			CONFIG_ESP_COREDUMP_ENABLE_TO_UART: "n",
			CONFIG_APP_PROJECT_VER_FROM_CONFIG: "y",
		});
	});

	test("has a socket for the push port and each connection, and a queue that holds a whole window", () => {
		const number = (name: string) => Number(settings.get(`CONFIG_LWIP_${name}`));
		const defined = (name: string) =>
			Number(new RegExp(`#define ${name} (\\d+)`).exec(read("src/native/fota-sockets.c"))?.[1]);
		const [inbound, outbound, backlog] = ["INBOUND_MAX", "OUTBOUND_MAX", "BACKLOG"].map(defined) as [
			number,
			number,
			number,
		];
		expect(inbound).toBeGreaterThan(CONNECTIONS_MAX);
		// The server's two, and as many for an application.
		expect(outbound).toBeGreaterThanOrEqual(4);
		expect(number("MAX_SOCKETS")).toBeGreaterThan(1 + inbound + outbound);
		expect(number("TCP_RECVMBOX_SIZE")).toBeGreaterThanOrEqual(number("TCP_WND_DEFAULT") / SEGMENT_BYTES + 2);
		// What waits at the port counts there.
		expect(number("MAX_ACTIVE_TCP")).toBeGreaterThanOrEqual(1 + inbound + outbound + backlog);
	});

	test("leaves the interrupt watchdog to the SDK", () => {
		expect([...settings.keys()].filter((name) => name.startsWith("CONFIG_ESP_INT_WDT"))).toEqual([]);
	});

	test("names the version of package.json", () => {
		const { version } = JSON.parse(read("package.json")) as { version: string };
		expect(settings.get("CONFIG_APP_PROJECT_VER")).toBe(`"${version}"`);
	});

	test("gives the radio, and the emulator's Ethernet, buffers for a window that waits, and some beside it", () => {
		const windowFrames = Math.ceil(Number(settings.get("CONFIG_LWIP_TCP_WND_DEFAULT")) / SEGMENT_BYTES);
		const emulated = parseSettings(read("sdkconfig/qemu/sdkconfig.defaults"));
		const buffers = [
			settings.get("CONFIG_ESP_WIFI_DYNAMIC_RX_BUFFER_NUM"),
			emulated.get("CONFIG_ETH_OPENETH_DMA_RX_BUFFER_NUM"),
		];
		for (const count of buffers) expect(Number(count)).toBeGreaterThanOrEqual(windowFrames + 4);
	});

	test("has a tick no longer than the shortest wait between two looks at a connection", () => {
		expect(1000 / Number(settings.get("CONFIG_FREERTOS_HZ"))).toBeLessThanOrEqual(QUICK_POLL_MS / 2);
	});

	test("has lines that mcconfig can merge: no second equals sign, no comment behind a value", () => {
		for (const line of read("sdkconfig/8mb/sdkconfig.defaults").split("\n"))
			expect(line).toMatch(/^(#.*|CONFIG_[A-Z0-9_]+=("[^"=#]*"|[a-z0-9]+))?$/);
	});
});

describe.each([
	["partitions.csv", 0x400000, false],
	["partitions-8mb.csv", 0x800000, true],
] as const)("%s", (name, flashBytes, hasFactory) => {
	const partitions = parsePartitionsCsv(read(name));
	const slots = partitions.filter(({ label }) => /^ota_\d$/.test(label));

	test("has two equal slots at 64 KiB, within the flash and the limit of an image", () => {
		expect(slots).toHaveLength(2);
		expect(slots[0]?.sizeBytes).toBe(slots[1]?.sizeBytes);
		for (const slot of slots) {
			expect(slot.offsetBytes % APP_ALIGNMENT_BYTES).toBe(0);
			expect(slot.sizeBytes % APP_ALIGNMENT_BYTES).toBe(0);
			expect(slot.sizeBytes).toBeLessThanOrEqual(IMAGE_MAX_BYTES);
		}
		expect(partitions.some(({ label }) => label === "factory")).toBe(hasFactory);
	});

	test("overlaps nowhere and ends within the flash", () => {
		const sorted = [...partitions].sort((a, b) => a.offsetBytes - b.offsetBytes);
		let endBytes = 0x9000;
		for (const partition of sorted) {
			expect(partition.offsetBytes).toBeGreaterThanOrEqual(endBytes);
			endBytes = partition.offsetBytes + partition.sizeBytes;
		}
		expect(endBytes).toBeLessThanOrEqual(flashBytes);
	});

	test("has room for the identity's two sectors and for both boot records", () => {
		const size = (label: string) => partitions.find((partition) => partition.label === label)?.sizeBytes;
		expect(size(IDENTITY_PARTITION)).toBe(IDENTITY_SECTORS * SECTOR_BYTES);
		expect(size("otadata")).toBe(2 * SECTOR_BYTES);
	});
});
