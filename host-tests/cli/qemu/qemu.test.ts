// `fota qemu` and `fota provision --parts`, with a stand-in for QEMU that writes down how it was started.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSlotVersion } from "../../../cli/image/boot-records.js";
import { partitionBytes } from "../../../cli/image/flash-image.js";
import { type App, createApp } from "../../../server/app.js";
import { parseIdentity, parseIdentityRecord } from "../../../src/protocol/identity.js";
import { writeProgram } from "../../support/fake-toolchain.js";
import { testIdentity, type WrittenParts, writeParts } from "../../support/parts.js";
import { runFota } from "../../support/run-fota.js";

const FLASH_BYTES = 4 * 1024 * 1024;

let folder: string;
let parts: WrittenParts;
let environment: Record<string, string>;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-qemu-"));
	parts = await writeParts(join(folder, "parts"), { chip: "esp32c3", name: "xs-fota-qemu" });
	await writeParts(join(folder, "wifi"), { chip: "esp32c3" });
	await writeFile(join(folder, "board.id"), testIdentity());
	await fakeQemu("espressif", "esp32c3              Espressif ESP32C3 machine");
	await fakeQemu("debian", "virt                 RISC-V VirtIO board");
	environment = { PATH: pathWith("espressif"), IDF_TOOLS_PATH: join(folder, "no-tools") };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Answers which machines it knows; otherwise keeps its arguments, and clears a byte of the flash as a device would. */
async function fakeQemu(name: string, machines: string): Promise<void> {
	const path = join(folder, name, "qemu-system-riscv32");
	await mkdir(dirname(path), { recursive: true });
	await writeProgram(
		path,
		[
			`if [ "$1" = -machine ]; then echo "Supported machines are:"; echo "${machines}"; exit 0; fi`,
			`printf '%s\\n' "$@" > "${join(folder, "arguments")}"`,
			"file=$(printf '%s' \"$5\" | sed 's/^file=//; s/,if=mtd.*//')",
			'printf "\\001" | dd of="$file" bs=1 seek=36864 conv=notrunc 2>/dev/null',
			"echo device log",
		].join("\n"),
	);
}

function pathWith(name: string): string {
	return `${join(folder, name)}:${dirname(process.execPath)}:/usr/bin:/bin`;
}

const qemu = (args: readonly string[], env = environment) => runFota(["qemu", ...args], { cwd: folder, env });

describe("fota qemu", () => {
	test("puts a flash together, starts the emulator on it, and keeps it for the next run", async () => {
		const flash = join(folder, "a", "board.flash");
		const args = ["--parts", "parts", "--flash", "a/board.flash"];
		const first = await qemu([...args, "--identity", "board.id"]);
		expect(first).toMatchObject({ code: 0, out: "device log\n" });
		expect((await readFile(join(folder, "arguments"), "utf8")).trim().split("\n")).toEqual([
			"-nographic",
			"-machine",
			"esp32c3",
			"-drive",
			`file=${flash},if=mtd,format=raw`,
			"-nic",
			"user,model=open_eth",
			"-icount",
			"3",
		]);
		const bytes = await readFile(flash);
		expect(bytes.length).toBe(FLASH_BYTES);
		expect((await stat(flash)).mode & 0o777).toBe(0o600);
		expect(bytes.subarray(0, parts.bootloader.length).equals(parts.bootloader)).toBe(true);
		expect(partitionBytes(bytes, "ota_0").subarray(0, parts.image.length)).toEqual(Buffer.from(parts.image));
		expect(partitionBytes(bytes, "otadata").every((byte) => byte === 0xff)).toBe(true);
		expect(parseIdentityRecord(partitionBytes(bytes, "fota_id"))?.sequence).toBe(1);

		// The byte the device wrote is still there at the next start, and gone after a fresh one.
		await writeFile(flash, Uint8Array.from(bytes.fill(0x02, 36_865, 36_866)));
		expect(await qemu(args)).toMatchObject({ code: 0 });
		expect((await readFile(flash)).subarray(36_864, 36_866)).toEqual(Buffer.from([1, 2]));
		const twice = await qemu([...args, "--identity", "board.id"]);
		expect(twice).toMatchObject({ code: 1, error: expect.stringContaining("is a device already") });
		expect(await qemu([...args, "--identity", "board.id", "--fresh"])).toMatchObject({ code: 0 });
		expect((await readFile(flash)).subarray(36_864, 36_866)).toEqual(Buffer.from([1, 0xff]));
	});

	test("refuses the flash of a simulated board, which has no bootloader", async () => {
		await writeFile(join(folder, "simulated.flash"), new Uint8Array(FLASH_BYTES).fill(0xff));
		const refused = await qemu(["--flash", "simulated.flash"]);
		expect(refused).toMatchObject({ code: 1, error: expect.stringContaining("holds no bootloader") });
	});

	test("leads a port of this machine's loopback to the device's push port", async () => {
		await qemu(["--parts", "parts", "--flash", "b.flash", "--identity", "board.id", "--push-port", "13232"]);
		expect(await readFile(join(folder, "arguments"), "utf8")).toContain(
			"user,model=open_eth,hostfwd=tcp:127.0.0.1:13232-:3232\n",
		);
	});

	test("says what to install where there is no QEMU, or one that does not know the chip", async () => {
		const missing = await qemu([], { ...environment, PATH: pathWith("nothing") });
		expect(missing.code).toBe(1);
		expect(missing.error).toMatch(/no qemu-system-riscv32\n.*idf_tools\.py install qemu-riscv32/);
		const foreign = await qemu([], { ...environment, PATH: pathWith("debian") });
		expect(foreign.error).toMatch(/debian\/qemu-system-riscv32 knows no esp32c3\n.*Install Espressif's/);
	});

	test("finds the QEMU that ESP-IDF's installer left, behind one that does not know the chip", async () => {
		const tools = join(folder, "espressif-tools");
		const bin = join(tools, "tools", "qemu-riscv32", "esp_develop_9.2.2", "qemu", "bin");
		await mkdir(bin, { recursive: true });
		await writeProgram(
			join(bin, "qemu-system-riscv32"),
			`exec "${join(folder, "espressif", "qemu-system-riscv32")}" "$@"`,
		);
		const env = { PATH: pathWith("debian"), IDF_TOOLS_PATH: tools };
		const args = ["--parts", "parts", "--flash", "c.flash", "--identity", "board.id"];
		expect(await qemu(args, env)).toMatchObject({ code: 0, out: "device log\n" });
	});

	test("refuses a build for a board, whose hardware the emulator lacks", async () => {
		const refused = await qemu(["--parts", "wifi", "--flash", "d.flash", "--identity", "board.id"]);
		expect(refused.code).toBe(1);
		expect(refused.error).toContain("wifi is not built for the emulator");
		expect((await qemu(["--parts", "parts", "--flash", "d.flash"])).error).toContain("a new device needs an");
	});
});

describe("fota provision --parts", () => {
	let app: App;
	let env: Record<string, string>;

	beforeAll(async () => {
		app = await createApp({ logLevel: "silent" });
		env = { FOTA_SERVER: await app.listen(), FOTA_TOKEN: app.adminToken };
		await runFota(["keygen", "--out", "keys"], { cwd: folder });
	});

	afterAll(() => app.close());

	const provision = (name: string, args: readonly string[]) => {
		const who = ["--device-id", name, "--device-type", "sensor", "--release-key", "keys/release.pub"];
		return runFota(["provision", ...who, "--port", "8080", ...args], { cwd: folder, env });
	};

	test("makes the whole flash of an emulated board, whose server is this machine", async () => {
		const made = await provision("board-q", ["--parts", "parts", "--out", "q.flash"]);
		expect(made).toMatchObject({ code: 0 });
		expect(made.out).toContain("fota qemu --flash q.flash");
		const flash = await readFile(join(folder, "q.flash"));
		expect(flash.length).toBe(FLASH_BYTES);
		expect(readSlotVersion(flash, "ota_0")).toBe("1.2.3");
		const record = parseIdentityRecord(partitionBytes(flash, "fota_id"));
		const identity = parseIdentity(record?.document ?? new Uint8Array(0));
		expect(identity).toMatchObject({ deviceId: "board-q", server: { host: "10.0.2.2", port: 8080 } });
		expect((await stat(join(folder, "q.flash"))).mode & 0o777).toBe(0o600);
		expect(await qemu(["--flash", "q.flash"])).toMatchObject({ code: 0, out: "device log\n" });
	});

	test("asks for the server's address where it cannot know it, before it registers anything", async () => {
		const refused = await provision("board-w", ["--parts", "wifi", "--out", "w.flash"]);
		expect(refused).toMatchObject({ code: 1, error: expect.stringContaining("where is the server?") });
		const both = await provision("board-w", ["--parts", "wifi", "--identity-only", "--out", "w.flash"]);
		expect(both).toMatchObject({ code: 1, error: expect.stringContaining("what to make?") });
		const { out } = await runFota(["status"], { cwd: folder, env });
		expect(out).not.toContain("board-w");
	});
});
