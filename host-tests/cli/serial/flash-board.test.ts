import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { CliError } from "../../../cli/cli-error.js";
import { readPartsFolder } from "../../../cli/firmware/parts-folder.js";
import { type FlashJob, flashBoard } from "../../../cli/serial/flash-board.js";
import { WebSerialPort } from "../../../cli/serial/web-serial-port.js";
import type { Chip } from "../../../src/protocol/release-statement.js";
import { CabledBoard, type CabledBoardOptions } from "../../support/cabled-board.js";
import { testIdentity, writeParts } from "../../support/parts.js";
import { runFota } from "../../support/run-fota.js";

const BOOTLOADER_OFFSET = { esp32: 0x1000, esp32c3: 0, esp32s3: 0 } as const;

let folder: string;
let board: CabledBoard | undefined;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-flash-"));
	for (const chip of ["esp32", "esp32c3", "esp32s3"] as const) await writeParts(join(folder, chip), { chip });
	await writeFile(join(folder, "board-1.id"), testIdentity());
});

afterEach(async () => {
	await board?.pty.close();
	board = undefined;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function openBoard(options: Omit<CabledBoardOptions, "folder">): Promise<CabledBoard> {
	board = await CabledBoard.open({ ...options, folder });
	return board;
}

async function jobFor(chip: Chip, port: WebSerialPort, more: Partial<FlashJob> = {}): Promise<FlashJob> {
	return {
		port,
		parts: await readPartsFolder(join(folder, chip)),
		baudRate: 460_800,
		isEraseAll: false,
		before: "default",
		isRestarted: true,
		onProgress: () => {},
		onDetail: () => {},
		...more,
	};
}

async function failureOf(job: FlashJob): Promise<CliError> {
	return flashBoard(job).then(
		() => expect.unreachable("it was flashed"),
		(error: CliError) => error,
	);
}

describe("a board is flashed", () => {
	test.each(["esp32", "esp32c3", "esp32s3"] as const)(
		"with every part in its place, byte for byte, and started afterwards (%s)",
		async (chip) => {
			const { chip: rom, ...cabled } = await openBoard({ chip });
			const progress: number[] = [];
			const port = (board as CabledBoard).port();
			const job = await jobFor(chip, port, { onProgress: (done) => void progress.push(done) });
			await flashBoard(job);

			expect(cabled.pty.path).toBe(port.path);
			for (const { name, offsetBytes, bytes } of job.parts.parts) {
				const written = rom.flash.subarray(offsetBytes, offsetBytes + bytes.length);
				expect(Buffer.compare(written, bytes), name).toBe(0);
			}
			const offsets = job.parts.parts.map(({ offsetBytes }) => offsetBytes);
			expect(offsets).toEqual([BOOTLOADER_OFFSET[chip], 0x8000, 0x19000, 0x20000]);
			expect(rom.ruleBreakCount).toBe(0);
			expect(rom.bootCount).toBe(1);
			expect(rom.loadedBytes).toBeGreaterThan(1000);
			expect(progress).toEqual([...progress].sort((a, b) => a - b));
			const total = job.parts.parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
			expect(progress.at(-1)).toBe(total);
		},
	);

	test("without a touch on what the device has learned, unless everything is to be erased", async () => {
		const { chip } = await openBoard({ chip: "esp32c3" });
		const port = () => (board as CabledBoard).port();
		await flashBoard(await jobFor("esp32c3", port()));
		// nvs and fota_id, as they were; then gone.
		expect(chip.flash.subarray(0x9000, 0x19000).every((byte) => byte === 0x5a)).toBe(true);
		expect(chip.flash.subarray(0x1c000, 0x1e000).every((byte) => byte === 0x5a)).toBe(true);
		await flashBoard(await jobFor("esp32c3", port(), { isEraseAll: true }));
		expect(chip.flash.subarray(0x9000, 0x19000).every((byte) => byte === 0xff)).toBe(true);
		expect(chip.flash.subarray(0x1c000, 0x1e000).every((byte) => byte === 0xff)).toBe(true);
	});

	test("also when the chip has USB of its own, which is reset another way", async () => {
		const { chip } = await openBoard({ chip: "esp32c3", hasOwnUsb: true });
		await flashBoard(await jobFor("esp32c3", (board as CabledBoard).port(), { before: "usb" }));
		expect(chip.bootCount).toBe(1);
		expect(chip.flash.subarray(0, 0x20000).every((byte) => byte === 0x5a)).toBe(false);
	});

	test.each([
		["losesByte", 3],
		["answersLate", 3],
		["startsLate", 0],
	] as const)("also over a line that %s", async (kind, atPacket) => {
		const { chip } = await openBoard({ chip: "esp32c3", fault: { kind, atPacket } });
		const job = await jobFor("esp32c3", (board as CabledBoard).port());
		await flashBoard(job);
		expect(chip.hasFaulted).toBe(true);
		const { bytes, offsetBytes } = job.parts.parts.at(-1) ?? { bytes: new Uint8Array(0), offsetBytes: 0 };
		expect(Buffer.compare(chip.flash.subarray(offsetBytes, offsetBytes + bytes.length), bytes)).toBe(0);
	});
});

describe("nothing is written to a board", () => {
	const isUntouched = (flash: Uint8Array) => flash.every((byte) => byte === 0x5a);

	test("of another chip", async () => {
		const { chip } = await openBoard({ chip: "esp32" });
		const error = await failureOf(await jobFor("esp32c3", (board as CabledBoard).port()));
		expect(error.message).toBe("the board has an ESP32, the firmware is for ESP32-C3");
		expect(error.hint).toContain("--target for esp32");
		expect(isUntouched(chip.flash)).toBe(true);
	});

	test("whose flash is too small for the partition table", async () => {
		const { chip } = await openBoard({ chip: "esp32c3", flashBytes: 2 * 1024 * 1024 });
		const error = await failureOf(await jobFor("esp32c3", (board as CabledBoard).port()));
		expect(error.message).toBe("the board's flash has 2MB, the partition table needs 4096 KiB");
		expect(isUntouched(chip.flash)).toBe(true);
	});

	test("that does not answer; the person is told about the button", async () => {
		await openBoard({ chip: "esp32c3", isDeaf: true });
		const job = await jobFor("esp32c3", (board as CabledBoard).port(), { connectAttempts: 2 });
		const error = await failureOf(job);
		expect(error.message).toContain("no answer from a chip on /dev/pts/");
		expect(error.hint).toContain("Hold the button BOOT");
	});
});

describe("a person is told", () => {
	test("that the flash holds something else than was written", async () => {
		const { chip } = await openBoard({ chip: "esp32c3", fault: { kind: "takesWrong", atPacket: 1 } });
		const error = await failureOf(await jobFor("esp32c3", (board as CabledBoard).port()));
		expect(chip.hasFaulted).toBe(true);
		expect(error.message).toBe("the flash does not hold what was written to it");
		expect(chip.bootCount).toBe(0);
	});

	test("at once that the cable was pulled", async () => {
		await openBoard({ chip: "esp32c3", fault: { kind: "leaves", atPacket: 2 } });
		const job = await jobFor("esp32c3", (board as CabledBoard).port());
		// Counted in turns of this process, which come no faster than that: a machine that stands still counts nothing.
		let turnCount = 0;
		const turns = setInterval(() => turnCount++, 100);
		onTestFinished(() => clearInterval(turns));
		const error = await failureOf({ ...job, onProgress: () => (turnCount = 0) });
		expect(error.message).toMatch(/^\/dev\/pts\/[0-9]+ is gone$/);
		// Before the answer that was due would have been given up, which takes five seconds.
		expect(turnCount).toBeLessThan(35);
	});

	test("that the port is in use, or not there", async () => {
		const first = (await openBoard({ chip: "esp32c3" })).port();
		await first.open({ baudRate: 115_200 });
		const busy = await failureOf(await jobFor("esp32c3", new WebSerialPort(first.path)));
		await first.close();
		expect(busy.message).toBe(`${first.path} is in use`);
		const missing = await failureOf(await jobFor("esp32c3", new WebSerialPort("/dev/ttyUSB99")));
		expect(missing.message).toBe("there is no serial port /dev/ttyUSB99");
	});
});

describe("fota flash", () => {
	test("writes firmware and identity to a board that was started with BOOT held", async () => {
		const { chip, pty } = await openBoard({ chip: "esp32c3", isInDownloadMode: true });
		// The command opens the port itself; its speed stays what the chip was told.
		const args = ["flash", "--port", pty.path, "--parts", "esp32c3", "--identity", "board-1.id"];
		const ways = ["--before", "no-reset", "--no-restart", "--baud", "115200"];
		const flashed = await runFota([...args, ...ways], { cwd: folder });
		expect(flashed).toMatchObject({ code: 0 });
		expect(flashed.out).toContain("flashed and verified: xs-fota 1.2.3 for esp32c3");
		expect(flashed.out).toMatch(/identity +0x01c000 +8192 bytes/);
		expect(flashed.error).toContain("100 %");
		expect(chip.flash.subarray(0x1c000, 0x1c004)).toEqual(new TextEncoder().encode("FOID"));
	});

	test("refuses parts that do not fit, before it opens the port", async () => {
		await writeParts(join(folder, "large"), { chip: "esp32c3", imageBytes: 0x1f0000 + 16 });
		const refused = await runFota(["flash", "--port", "/dev/ttyUSB99", "--parts", "large"], { cwd: folder });
		expect(refused.code).toBe(1);
		expect(refused.error).toContain("firmware has 2031632 bytes, its place 2031616");
		const junk = ["flash", "--port", "/dev/ttyUSB99", "--parts", "esp32c3", "--identity"];
		const foreign = await runFota([...junk, "esp32c3/firmware.bin"], { cwd: folder });
		expect(foreign.error).toContain("is not the identity of a device");
	});
});
