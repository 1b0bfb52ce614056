// The flash file of a new board, and the look into one.
import { describe, expect, test } from "vitest";
import { readBootRecords, readSlotImage, readSlotVersion } from "../../../cli/image/boot-records.js";
import { buildEspImage } from "../../../cli/image/esp-image-builder.js";
import { buildFlash, partitionBytes, smallPartitions } from "../../../cli/image/flash-image.js";
import {
	decodePartitionTable,
	encodePartitionTable,
	parsePartitionsCsv,
	projectPartitions,
	TABLE_OFFSET,
} from "../../../cli/image/partition-table.js";
import { DEFAULT_SETTINGS, parseIdentity, parseIdentityRecord } from "../../../src/protocol/identity.js";

const identity = {
	deviceId: "board-1",
	deviceKey: new Uint8Array(32).fill(1),
	deviceType: "sensor",
	releaseKeys: [new Uint8Array(65).fill(2).fill(4, 0, 1)],
	server: { host: "127.0.0.1", port: 8080 },
	settings: DEFAULT_SETTINGS,
};
const image = buildEspImage({
	chip: "esp32",
	version: "1.0.0",
	projectName: "xs-fota",
	payload: new Uint8Array(100),
});

describe("the flash of a new board", () => {
	const flash = buildFlash({ identity, image });

	test("is 4 MiB with two equal slots", () => {
		expect(flash.length).toBe(4 * 1024 * 1024);
		const [a, b] = decodePartitionTable(flash).filter(({ type }) => type === 0);
		expect(a?.sizeBytes).toBe(b?.sizeBytes);
	});

	test("has the identity where the firmware reads it", () => {
		const record = parseIdentityRecord(partitionBytes(flash, "fota_id"));
		expect(record?.sequence).toBe(1);
		expect(parseIdentity(record?.document ?? new Uint8Array())).toEqual(identity);
	});

	test("boots ota_0, whose image is whole; ota_1 is erased", () => {
		expect(readBootRecords(flash)).toEqual({ records: [], active: "ota_0" });
		expect(readSlotVersion(flash, "ota_0")).toBe("1.0.0");
		expect(readSlotImage(flash, "ota_1")).toBeUndefined();
	});

	test("with a damaged image has none", () => {
		const damaged = flash.slice();
		const slot = partitionBytes(damaged, "ota_0");
		slot[300] = (slot[300] ?? 0) ^ 1;
		expect(readSlotImage(damaged, "ota_0")).toBeUndefined();
	});

	test("cannot hold an image larger than its slot", () => {
		const partitions = smallPartitions(0x10000);
		const large = new Uint8Array(0x10001);
		expect(() => buildFlash({ identity, partitions, image: large })).toThrow(RangeError);
	});
});

describe("boot records", () => {
	// The sequence numbers 1 and 2 with their CRC as esptool shows them on boards.
	const known = [
		{ sequence: 1, crc: 0x4743989a },
		{ sequence: 2, crc: 0x55f63774 },
	];

	test("are read with sequence, slot and state; the newest usable one is active", () => {
		const flash = buildFlash({ identity, image });
		const otadata = partitionBytes(flash, "otadata");
		const view = new DataView(otadata.buffer, otadata.byteOffset);
		for (const [index, { sequence, crc }] of known.entries()) {
			view.setUint32(index * 4096, sequence, true);
			view.setUint32(index * 4096 + 24, 2, true);
			view.setUint32(index * 4096 + 28, crc, true);
		}
		expect(readBootRecords(flash)).toEqual({
			records: [
				{ sequence: 2, slot: "ota_1", state: "valid" },
				{ sequence: 1, slot: "ota_0", state: "valid" },
			],
			active: "ota_1",
		});
		view.setUint32(4096 + 24, 4, true);
		expect(readBootRecords(flash).active).toBe("ota_0");
	});
});

describe("a partition table", () => {
	test("is read back as it was written", () => {
		const partitions = projectPartitions();
		const flash = new Uint8Array(TABLE_OFFSET + 4096);
		flash.set(encodePartitionTable(partitions), TABLE_OFFSET);
		expect(decodePartitionTable(flash)).toEqual(partitions);
		flash[TABLE_OFFSET + 4] = 1;
		expect(() => decodePartitionTable(flash)).toThrow("damaged");
	});

	test.each([
		["ota_0, app, ota_0, 0x21000, 0x10000", "multiple of 65536"],
		["a, data, nvs, 0x9000, 100", "multiple of 4096"],
		["a, data, nvs, 0x9000, 0x1000\na, data, nvs, 0xa000, 0x1000", "line 2: the name is taken"],
		["a, data, nvs, 0x9000, 0x2000\nb, data, nvs, 0xa000, 0x1000", "overlaps"],
		["a, data, nvs, 0x8000, 0x1000", "overlaps"],
		["a, data, nvs", "name, type, subtype"],
	])("of %j is refused", (csv, reason) => {
		expect(() => parsePartitionsCsv(csv)).toThrow(reason);
	});
});
