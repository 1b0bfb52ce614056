// `fota firmware` with a stand-in for mcconfig that reads manifests as the real one does.
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withVersion, writeBuildFiles } from "../../../cli/firmware/build-files.js";
import { findTarget } from "../../../cli/firmware/build-target.js";
import { checkGenerated } from "../../../cli/firmware/generated-settings.js";
import { firstCause } from "../../../cli/firmware/mcconfig.js";
import { readPartsFolder } from "../../../cli/firmware/parts-folder.js";
import { BUILD_ROOT, PROJECT_ROOT } from "../../../cli/image/project-root.js";
import { createApp } from "../../../server/app.js";
import { parseImagePreamble } from "../../../src/protocol/esp-image.js";
import { parseSignedStatement } from "../../../src/protocol/release-statement.js";
import { type FakeToolchain, makeToolchain } from "../../support/fake-toolchain.js";
import { type FotaOutcome, runFota } from "../../support/run-fota.js";

let folder: string;
let tools: FakeToolchain;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-firmware-"));
	tools = await makeToolchain(folder);
	await runFota(["keygen", "--out", "keys"], { cwd: folder });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function firmware(args: readonly string[], env: Record<string, string> = {}): Promise<FotaOutcome> {
	return runFota(["firmware", "--out", "parts", ...args], { cwd: folder, env: { ...tools, ...env } });
}

interface Call {
	readonly args: readonly string[];
	readonly build: Readonly<Record<string, string>>;
	readonly cwd: string;
	readonly settings: string;
}

async function lastCall(): Promise<Call> {
	return JSON.parse(await readFile(join(tools.MODDABLE, "called.json"), "utf8")) as Call;
}

describe("fota firmware", () => {
	test("builds a signed release that the server takes", async () => {
		const signing = ["--key", "keys/release.key", "--device-type", "sensor"];
		const version = ["--version", "3.1.4", "--security-version", "2"];
		const built = await firmware(["--target", "esp32/esp32c3", ...version, ...signing]);
		expect(built).toMatchObject({ code: 0 });
		expect(built.out).toMatch(/bytes +65536 of 2031616, 96 % of the slot free/);
		expect(built.out).toContain("fota publish");
		// What mcconfig says is shown as it comes, and kept.
		expect(built.error).toContain("# xsc main\na warning of the compiler");
		const log = await readFile(join(folder, "parts", "mcconfig.log"), "utf8");
		expect(log).toContain("# xsc main\na warning of the compiler");

		const call = await lastCall();
		expect(call.args).toEqual(["-m", "-p", "esp32/esp32c3", "-t", "build", "manifest.json"]);
		expect(call.build).toMatchObject({
			NAME: "xs-fota",
			PARTITIONS_FILE: join(PROJECT_ROOT, "partitions.csv"),
		});
		expect(call.settings).toContain('\nCONFIG_APP_PROJECT_VER="3.1.4"\n');
		const original = await readFile(join(PROJECT_ROOT, "sdkconfig", "sdkconfig.defaults"), "utf8");
		expect(call.settings.replace("3.1.4", "x")).toBe(original.replace(/(PROJECT_VER=)".*"/, '$1"x"'));

		const image = join(folder, "parts", "firmware.bin");
		expect(parseImagePreamble(await readFile(image))).toMatchObject({ version: "3.1.4", chip: "esp32c3" });
		const { statement } = parseSignedStatement((await readFile(`${image}.release`, "utf8")).trim());
		expect(statement.securityVersion).toBe(2);
		const app = await createApp({ logLevel: "silent" });
		try {
			const env = { FOTA_SERVER: await app.listen(), FOTA_TOKEN: app.adminToken };
			const args = ["publish", image, "--release-key", "keys/release.pub"];
			const published = await runFota(args, { cwd: folder, env });
			expect(published.out).toContain("release created");
			expect(published.out).toMatch(/version +3\.1\.4/);
		} finally {
			await app.close();
		}
	});

	test("lists the parts of each board with their offsets, as ESP Web Tools wants them", async () => {
		await firmware(["--target", "esp32/nodemcu", "--version", "1.0.0"]);
		const manifest: unknown = JSON.parse(await readFile(join(folder, "parts", "manifest.json"), "utf8"));
		expect(manifest).toEqual({
			name: "xs-fota",
			version: "1.0.0",
			builds: [
				{
					chipFamily: "ESP32",
					parts: [
						{ path: "bootloader.bin", offset: 0x1000 },
						{ path: "partition-table.bin", offset: 0x8000 },
						{ path: "otadata.bin", offset: 0x19000 },
						{ path: "firmware.bin", offset: 0x20000 },
					],
				},
			],
		});
		expect(await firmware(["--qemu"])).toMatchObject({ code: 0 });
		expect((await lastCall()).build).toMatchObject({ NAME: "xs-fota-qemu" });
		expect((await lastCall()).settings).toContain("CONFIG_ETH_USE_OPENETH=y");
		const version = JSON.parse(await readFile(join(PROJECT_ROOT, "package.json"), "utf8")).version as string;
		expect(await readPartsFolder(join(folder, "parts"))).toMatchObject({ chip: "esp32c3", version });

		expect(await firmware(["--target", "esp32/esp32s3", "--flash-mb", "8"])).toMatchObject({ code: 0 });
		const large = await readPartsFolder(join(folder, "parts"));
		// On boards with a factory slot that is where the cable writes.
		expect(large.parts.map(({ offsetBytes }) => offsetBytes)).toEqual([0, 0x8000, 0x19000, 0x20000]);
		expect(large.partitions.find(({ offsetBytes }) => offsetBytes === 0x20000)?.label).toBe("factory");
	});

	test("builds an application of somebody's own, with the safety settings of this project", async () => {
		const own = { build: { NAME: "lamp", SDKCONFIGPATH: "./none", EXTRA: "1" }, include: [] };
		await writeFile(join(folder, "own.json"), JSON.stringify(own));
		expect(await firmware(["--manifest", "own.json", "--version", "1.0.0"])).toMatchObject({ code: 0 });
		const { build } = await lastCall();
		expect(build).toMatchObject({ NAME: "xs-fota", EXTRA: "1" });
		expect(build.SDKCONFIGPATH).toBe(join(BUILD_ROOT, "mcconfig", "esp32c3", "sdkconfig"));
	});

	test("never takes an old image for a new one: a failed link, which mcconfig does not report", async () => {
		expect(await firmware(["--version", "1.0.0"])).toMatchObject({ code: 0 });
		const failed = await firmware(["--version", "1.0.0"], { FAKE_MCCONFIG: "fails quietly" });
		expect(failed.code).toBe(1);
		expect(failed.error).toMatch(/mcconfig made no xs_esp32\.bin\n.*mcconfig\.log/);
		await expect(stat(join(folder, "parts", "firmware.bin"))).rejects.toThrow("ENOENT");
	});

	test("says what went wrong first when mcconfig fails, and where the log is", async () => {
		const failed = await firmware(["--version", "1.0.0"], { FAKE_MCCONFIG: "fails" });
		expect(failed.code).toBe(1);
		expect(failed.error).toMatch(
			/^fota: mcconfig ended with 2: bash: line 1: \?\[31midf\.py: command not found\n.*parts\/mcconfig\.log/m,
		);
	});

	test("refuses an image that says another version, or that no slot can hold", async () => {
		const other = await firmware(["--version", "1.0.0"], { FAKE_VERSION: "v8.2.3-1-g48ee02d" });
		expect(other.error).toContain('says version "v8.2.3-1-g48ee02d", not 1.0.0');
		const large = await firmware(["--version", "1.0.0"], { FAKE_IMAGE_BYTES: String(0x1f0000 + 16) });
		expect(large.error).toContain("the image has 2031632 bytes, an update slot 2031616");
		expect([other.code, large.code]).toEqual([1, 1]);
	});

	test("refuses a build whose settings were lost on the way into ESP-IDF", async () => {
		const name = "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE";
		const lost = await firmware(["--version", "1.0.0"], { FAKE_LOST: name });
		expect(lost).toMatchObject({ code: 1, out: "" });
		expect(lost.error).toContain(`the firmware was built with ${name} not set, not y`);
		await expect(stat(join(folder, "parts", "firmware.bin"))).rejects.toThrow("ENOENT");
	});

	test("never signs a debug build", async () => {
		const signing = ["--key", "keys/release.key", "--device-type", "sensor"];
		const refused = await firmware(["--debug", ...signing]);
		expect(refused).toMatchObject({ code: 1, out: "" });
		expect(refused.error).toContain("a debug build is not signed");
		const debug = await firmware(["--debug"]);
		expect(debug).toMatchObject({ code: 0 });
		expect((await lastCall()).args[0]).toBe("-d");
		await expect(stat(join(folder, "parts", "firmware.bin.release"))).rejects.toThrow("ENOENT");
	});

	test("does not begin without its tools, and says which", async () => {
		const refused = await firmware([], { IDF_PATH: "/nowhere" });
		expect(refused).toMatchObject({ code: 1, out: "" });
		expect(refused.error).toMatch(/✗ ESP-IDF +\/nowhere is no git checkout\n/);
		expect((await firmware(["--key", "keys/release.key"])).error).toContain("which devices is it for?");
	});
});

describe("the settings that ESP-IDF was given", () => {
	const GOOD = [
		"CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y",
		"# CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS is not set",
		"CONFIG_ESP_TASK_WDT_EN=y",
		"CONFIG_ESP_TASK_WDT_PANIC=y",
		"CONFIG_PARTITION_TABLE_CUSTOM=y",
		"CONFIG_PARTITION_TABLE_OFFSET=0x8000",
		"CONFIG_APP_PROJECT_VER_FROM_CONFIG=y",
		'CONFIG_APP_PROJECT_VER="1.2.3"',
	].join("\n");

	test("pass where all are as the project wants them", () => {
		expect(() => checkGenerated(GOOD, { version: "1.2.3" })).not.toThrow();
	});

	test.each(GOOD.split("\n").filter((line) => !line.startsWith("#")))("are refused without %s", (line) => {
		const [name = ""] = line.split("=");
		expect(() => checkGenerated(GOOD.replace(line, ""), { version: "1.2.3" })).toThrow(
			`${name} not set, not `,
		);
	});

	test.each([
		[
			GOOD.replace(
				"# CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS is not set",
				"CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS=y",
			),
			"ALWAYS y, not n",
		],
		[`${GOOD}\nCONFIG_ESP_COREDUMP_ENABLE_TO_UART=y`, "UART y, not n"],
		[GOOD.replace("0x8000", "0x9000"), "OFFSET 0x9000, not 0x8000"],
		[GOOD.replace("1.2.3", "1.2.30"), 'VER "1.2.30", not "1.2.3"'],
		[undefined, "no sdkconfig"],
	])("are refused otherwise (case %#)", (text, said) => {
		expect(() => checkGenerated(text, { version: "1.2.3" })).toThrow(said);
	});
});

test("the cause of a failed build is its first line that says so, as one line of text", () => {
	const cause = (...lines: readonly string[]) => firstCause(lines.join("\n"));
	expect(cause("-Werror is on", "a.c:1:2: error: x", "make: *** [a] Error 1")).toBe("a.c:1:2: error: x");
	expect(cause("ok", 'ERROR: ESP-IDF Python virtual environment "x" not found.')).toMatch(/^ERROR: ESP-IDF/);
	expect(cause("-- Looking for strtod - not found", "/bin/sh: 1: idf.py: not found")).toContain("idf.py");
	expect(cause("make: *** [makefile:7: build] Error 2")).toContain("makefile:7");
	expect(cause("a warning", "12 errors possible")).toBeUndefined();
	expect(cause(`error: ${"x".repeat(999)}`)).toHaveLength(200);
});

describe("what mcconfig is given", () => {
	test("puts the settings of the build behind those of the project, since the last one wins", async () => {
		const target = await findTarget({ platform: "esp32/esp32c3", kind: "4mb" });
		const files = await writeBuildFiles(target, { folder: join(folder, "files"), version: "1.0.0" });
		const text = await readFile(join(files.folder, files.manifest), "utf8");
		const { include } = JSON.parse(text) as { include: readonly string[] };
		expect(include).toHaveLength(2);
		expect(join(files.folder, include[0] ?? "")).toBe(join(PROJECT_ROOT, "manifest.json"));
		expect(include[1]).toBe("./build.json");
	});

	test("keeps its times when nothing changes, so that make builds nothing anew", async () => {
		const target = await findTarget({ platform: "esp32/esp32c3", kind: "4mb" });
		const here = join(folder, "times");
		const timesAfter = async (version: string) => {
			await writeBuildFiles(target, { folder: here, version });
			const names = ["manifest.json", "build.json", "sdkconfig/sdkconfig.defaults"];
			return Promise.all(names.map(async (name) => (await stat(join(here, name))).mtimeMs));
		};
		const first = await timesAfter("1.0.0");
		expect(await timesAfter("1.0.0")).toEqual(first);
		const [manifest, build, settings] = await timesAfter("1.0.1");
		expect([manifest, build]).toEqual(first.slice(0, 2));
		expect(settings).not.toBe(first[2]);
	});

	test("has the version in the one line there is for it", () => {
		expect(withVersion('A=1\nCONFIG_APP_PROJECT_VER="0"\nB=2', "1.2.3-rc.1+7")).toBe(
			'A=1\nCONFIG_APP_PROJECT_VER="1.2.3-rc.1+7"\nB=2',
		);
		expect(withVersion("CONFIG_APP_PROJECT_VER_FROM_CONFIG=y", "1.0.0")).toBeUndefined();
	});

	test("is for a chip that the project builds for", async () => {
		const moddable = tools.MODDABLE;
		await expect(findTarget({ platform: "esp32/nothing", kind: "4mb", moddable })).rejects.toThrow(
			"the board nothing is not known",
		);
		await expect(findTarget({ platform: "esp32/nodemcu", kind: "qemu" })).rejects.toThrow("no emulator");
	});
});
