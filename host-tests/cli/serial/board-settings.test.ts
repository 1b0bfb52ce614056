// `fota settings` on a board: byte by byte against a chip's loader behind a pseudo-terminal, with a bad line and a cable that
// is pulled.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CliError } from "../../../cli/cli-error.js";
import { changeIdentity, findIdentityPlace, readIdentity } from "../../../cli/device/identity-flash.js";
import { buildIdentityPartition, smallPartitions } from "../../../cli/image/flash-image.js";
import {
	encodePartitionTable,
	type Partition,
	projectPartitions,
} from "../../../cli/image/partition-table.js";
import { type BoardVisit, visitBoard } from "../../../cli/serial/board-memory.js";
import { encodeIdentity, type Identity } from "../../../src/protocol/identity.js";
import { findIdentity } from "../../../src/protocol/identity-partition.js";
import { CabledBoard, type CabledBoardOptions } from "../../support/cabled-board.js";
import { testIdentity } from "../../support/parts.js";
import { runFota } from "../../support/run-fota.js";

const SECTOR_BYTES = 4096;
const TABLE_OFFSET = 0x8000;

let folder: string;
let board: CabledBoard | undefined;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-settings-"));
});

afterEach(async () => {
	await board?.pty.close();
	board = undefined;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const offsetIn = (partitions: readonly Partition[]) =>
	partitions.find(({ label }) => label === "fota_id")?.offsetBytes ?? 0;

/** A board that was flashed with this table, and with an identity where the table has it. */
async function openBoard(
	options: Partial<CabledBoardOptions> = {},
	partitions: readonly Partition[] = projectPartitions(),
): Promise<CabledBoard> {
	board = await CabledBoard.open({ chip: "esp32c3", ...options, folder });
	board.chip.flash.set(encodePartitionTable(partitions).subarray(0, 0xc00), TABLE_OFFSET);
	board.chip.flash.set(testIdentity(), offsetIn(partitions));
	return board;
}

function storedIn({ chip }: CabledBoard, partitions = projectPartitions()) {
	const at = offsetIn(partitions);
	const found = findIdentity({
		read: (index) => chip.flash.subarray(at + index * SECTOR_BYTES, at + (index + 1) * SECTOR_BYTES),
		onUnusable: () => {},
	});
	return found ?? expect.unreachable("there is no identity");
}

const visitOf = (cabled: CabledBoard, more: Partial<BoardVisit> = {}): BoardVisit => ({
	port: cabled.port(),
	baudRate: 115_200,
	before: "default",
	isRestarted: true,
	aftermath: "All is as before.",
	onDetail: () => {},
	...more,
});

/** Makes the device ask another server. */
function moveServer(cabled: CabledBoard, more: Partial<BoardVisit> = {}): Promise<Identity> {
	return visitBoard(visitOf(cabled, more), async (flash) => {
		const place = await findIdentityPlace(flash);
		const found = await readIdentity(place, () => {});
		const document = encodeIdentity({ ...found.identity, server: { host: "updates.example", port: 80 } });
		return (await changeIdentity(place, found, document)).identity;
	});
}

const failureOf = (work: Promise<unknown>): Promise<CliError> =>
	work.then(
		() => expect.unreachable("it went well"),
		(error: CliError) => error,
	);

describe("a setting of a board is changed", () => {
	test.each(["esp32", "esp32c3", "esp32s3"] as const)(
		"in the sector that does not count, which alone is touched, and the board starts again (%s)",
		async (chip) => {
			const cabled = await openBoard({ chip });
			const before = cabled.chip.flash.slice();
			expect((await moveServer(cabled)).server).toEqual({ host: "updates.example", port: 80 });
			const { sequence, sectorIndex, identity } = storedIn(cabled);
			expect({ sequence, sectorIndex }).toEqual({ sequence: 2, sectorIndex: 1 });
			expect(identity.server.host).toBe("updates.example");
			const at = 0x1c000 + SECTOR_BYTES;
			expect(Buffer.compare(cabled.chip.flash.subarray(0, at), before.subarray(0, at))).toBe(0);
			const end = at + SECTOR_BYTES;
			expect(Buffer.compare(cabled.chip.flash.subarray(end), before.subarray(end))).toBe(0);
			expect(cabled.chip.ruleBreakCount).toBe(0);
			expect(cabled.chip.bootCount).toBe(1);
		},
	);

	test("at another speed, and where the board's own table says that the identity is", async () => {
		const partitions = smallPartitions(65_536);
		const cabled = await openBoard({}, partitions);
		await moveServer(cabled, { baudRate: 460_800 });
		expect(offsetIn(partitions)).toBe(0x10000);
		expect(storedIn(cabled, partitions).identity.server.host).toBe("updates.example");
		expect(cabled.chip.flash.subarray(0x1c000, 0x1e000).every((byte) => byte === 0x5a)).toBe(true);
	});
});

describe("a board keeps its settings", () => {
	test("when the cable is pulled between erasing and programming", async () => {
		const cabled = await openBoard({ fault: { kind: "leaves", atPacket: 0 } });
		const error = await failureOf(moveServer(cabled));
		expect(error.message).toMatch(/is gone$/);
		const at = 0x1c000 + SECTOR_BYTES;
		expect(cabled.chip.flash.subarray(at, at + SECTOR_BYTES).every((byte) => byte === 0xff)).toBe(true);
		expect(storedIn(cabled)).toMatchObject({ sequence: 1, identity: { server: { host: "10.0.2.2" } } });
	});

	test("when its flash does not take what is written, and the person is told", async () => {
		const cabled = await openBoard({ fault: { kind: "takesWrong", atPacket: 0 } });
		const error = await failureOf(moveServer(cabled));
		expect(error.message).toBe("the flash does not hold what was written to it");
		expect(error.hint).toContain("Identity 1 counts as before");
		expect(storedIn(cabled).sequence).toBe(1);
		expect(cabled.chip.bootCount).toBe(1);
	});

	test.each([0, 1])("when the line alters what is read (packet %i): nothing is written", async (atPacket) => {
		const cabled = await openBoard({ fault: { kind: "readsWrong", atPacket } });
		const before = cabled.chip.flash.slice();
		const error = await failureOf(moveServer(cabled));
		expect(cabled.chip.hasFaulted).toBe(true);
		expect(error.message).toBe("the flash was not read as it is");
		expect(Buffer.compare(cabled.chip.flash, before)).toBe(0);
		expect(cabled.chip.bootCount).toBe(1);
	});

	test.each([
		["no partition table", (flash: Uint8Array) => flash.fill(0xff, 0x8000, 0x9000), /no partition table/],
		["a damaged table", (flash: Uint8Array) => flash.fill(0, 0x8028, 0x802c), /damaged/],
		["no identity", (flash: Uint8Array) => flash.fill(0xff, 0x1c000, 0x1e000), /no identity in this flash/],
	] as const)("and starts again where there is %s", async (_title, spoil, said) => {
		const cabled = await openBoard();
		spoil(cabled.chip.flash);
		expect((await failureOf(moveServer(cabled))).message).toMatch(said);
		expect(cabled.chip.bootCount).toBe(1);
	});

	test("and a board with another firmware's table is left alone", async () => {
		const others = projectPartitions().filter(({ label }) => label !== "fota_id");
		const cabled = await openBoard({}, others);
		expect((await failureOf(moveServer(cabled))).message).toBe("the flash has no partition fota_id");
	});
});

describe("fota settings", () => {
	test("shows and changes the settings of a board over its port, without showing the password", async () => {
		const { pty, chip } = await openBoard({ isInDownloadMode: true });
		chip.flash.set(
			buildIdentityPartition({
				...storedIn(board as CabledBoard).identity,
				wifi: { ssid: "Workshop", password: "the one before" },
			}),
			0x1c000,
		);
		await writeFile(join(folder, "password"), "correct horse battery\n");
		const ways = ["--port", pty.path, "--before", "no-reset", "--no-restart"];
		const change = ["--set", "wifi-password", "hostname=boiler", "--wifi-password-file", "password"];
		const changed = await runFota(["settings", ...ways, ...change], { cwd: folder });
		expect(changed).toMatchObject({ code: 0 });
		expect(changed.out).toMatch(/hostname +board-1 → boiler\n/);
		const { identity } = storedIn(board as CabledBoard);
		expect(identity.wifi).toEqual({ ssid: "Workshop", password: "correct horse battery" });
		const shown = await runFota(["settings", ...ways, "--verbose"], { cwd: folder });
		expect(shown).toMatchObject({ code: 0 });
		expect(shown.out).toMatch(/settings of board-1 \(identity 2\)[\s\S]*wifi-password +set\n/);
		for (const { out, error } of [changed, shown])
			expect(out + error).not.toMatch(/correct horse|one before/);
	});

	test("says what is wrong with the port", async () => {
		const { code, error } = await runFota(["settings", "--port", "/dev/ttyUSB99"], { cwd: folder });
		expect(code).toBe(1);
		expect(error).toContain("there is no serial port /dev/ttyUSB99");
	});
});
