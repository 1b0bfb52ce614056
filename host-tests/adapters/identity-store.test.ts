// The identity survives garbage and torn writes: the valid sector with the higher sequence counts.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdentityStore } from "../../src/adapters/identity-store.js";
import { utf8Encode } from "../../src/protocol/encoding.js";
import {
	DEFAULT_SETTINGS,
	encodeIdentity,
	encodeIdentityRecord,
	type Identity,
} from "../../src/protocol/identity.js";
import { FakeFlash } from "../fakes/fake-flash.js";
import { RecordingLog } from "../fakes/recording-log.js";

const SECTOR_BYTES = 4096;

function identity(deviceId: string): Identity {
	return {
		deviceId,
		deviceKey: new Uint8Array(32).fill(1),
		deviceType: "inverter",
		releaseKeys: [Uint8Array.of(4, ...new Uint8Array(64).fill(2))],
		server: { host: "192.0.2.1", port: 8080 },
		settings: DEFAULT_SETTINGS,
	};
}

const record = (sequence: number, deviceId: string) =>
	encodeIdentityRecord({ sequence, document: encodeIdentity(identity(deviceId)) });

function open(...sectors: readonly Uint8Array[]) {
	const flash = new FakeFlash({ slotBytes: SECTOR_BYTES, imageLength: () => undefined });
	const partition = flash.data.get("fota_id") ?? new Uint8Array();
	sectors.forEach((sector, index) => {
		partition.set(sector, index * SECTOR_BYTES);
	});
	const log = new RecordingLog();
	return { flash, partition, log, store: new IdentityStore({ flash, log }) };
}

describe("the identity read", () => {
	it("is none on an erased partition", () => {
		expect(open().store.read()).toBeUndefined();
	});

	it("is the one with the higher sequence, in either sector", () => {
		expect(open(record(1, "old"), record(2, "new")).store.read()?.deviceId).toBe("new");
		expect(open(record(8, "new"), record(7, "old")).store.read()?.deviceId).toBe("new");
	});

	it("is the other one when one is garbage, empty or torn", () => {
		const torn = record(9, "torn");
		torn.fill(0xff, 200);
		for (const bad of [new Uint8Array(SECTOR_BYTES), new Uint8Array(SECTOR_BYTES).fill(0xff), torn]) {
			expect(open(bad, record(2, "good")).store.read()?.deviceId).toBe("good");
			expect(open(record(2, "good"), bad).store.read()?.deviceId).toBe("good");
		}
	});

	it("is the older one when the newer is whole but unusable, and the log says so", () => {
		const unusable = encodeIdentityRecord({ sequence: 3, document: utf8Encode('{"device_id":"new"}') });
		const { store, log } = open(record(2, "good"), unusable);
		expect(store.read()?.deviceId).toBe("good");
		expect(log.lines).toHaveLength(1);
		expect(log.lines[0]).toContain("identity 3 is unusable");
	});

	it("is never garbage, whatever the bytes", () => {
		const sector = fc.uint8Array({ minLength: 64, maxLength: 256 });
		fc.assert(
			fc.property(sector, sector, (first, second) => {
				expect(open(first, second).store.read()).toBeUndefined();
			}),
			{ numRuns: 50 },
		);
	});

	it("is a clear error when the partition is missing or unreadable", () => {
		const { flash, store } = open();
		flash.faults.set("dataRead", new Error("ESP_ERR_FLASH_OP_FAIL"));
		expect(() => store.read()).toThrow("partition fota_id: ESP_ERR_FLASH_OP_FAIL");
		flash.data.clear();
		expect(() => store.read()).toThrow("partition fota_id: ESP_ERR_NOT_FOUND");
	});
});
