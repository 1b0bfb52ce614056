// A setting is changed in the sector that does not count: whenever power fails, a device finds the old identity or the new
// one.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeIdentity, readIdentity } from "../../cli/device/identity-flash.js";
import { utf8Encode } from "../../src/protocol/encoding.js";
import {
	DEFAULT_SETTINGS,
	encodeIdentity,
	encodeIdentityRecord,
	type Identity,
	parseIdentityRecord,
} from "../../src/protocol/identity.js";
import { findIdentity, identityChange, type StoredIdentity } from "../../src/protocol/identity-partition.js";
import { NorSectors } from "../fakes/nor-sectors.js";
import { type CutMode, Power, PowerCut } from "../fakes/power.js";

const SECTOR_BYTES = 4096;

function documentOf(host: string): Uint8Array {
	const identity: Identity = {
		deviceId: "lamp-1",
		deviceKey: new Uint8Array(32).fill(1),
		deviceType: "lamp",
		releaseKeys: [Uint8Array.of(4, ...new Uint8Array(64).fill(2))],
		server: { host, port: 8080 },
		settings: DEFAULT_SETTINGS,
	};
	return encodeIdentity(identity);
}

function partitionOf(...sectors: readonly Uint8Array[]): Uint8Array {
	const partition = new Uint8Array(2 * SECTOR_BYTES).fill(0xff);
	for (const [index, sector] of sectors.entries()) partition.set(sector, index * SECTOR_BYTES);
	return partition;
}

const record = (sequence: number, host: string) =>
	encodeIdentityRecord({ sequence, document: documentOf(host) });

function find(partition: Uint8Array): StoredIdentity | undefined {
	return findIdentity({
		read: (index) => partition.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
		onUnusable: () => {},
	});
}

function found(partition: Uint8Array): StoredIdentity {
	return find(partition) ?? expect.unreachable("there is no identity");
}

describe("a change of the identity", () => {
	it("goes to the sector that does not count, with the next number", () => {
		const first = identityChange(found(partitionOf(record(1, "old"))), documentOf("new"));
		expect(first.offsetBytes).toBe(SECTOR_BYTES);
		expect(parseIdentityRecord(first.sector)?.sequence).toBe(2);
		const both = partitionOf(record(6, "older"), record(7, "old"));
		const next = identityChange(found(both), documentOf("new"));
		expect(next.offsetBytes).toBe(0);
		expect(parseIdentityRecord(next.sector)?.sequence).toBe(8);
	});

	it("never goes to the only record that can be used, whatever stands in the other sector", () => {
		const unusable = encodeIdentityRecord({ sequence: 9, document: utf8Encode('{"device_id":"x"}') });
		const change = identityChange(found(partitionOf(record(3, "old"), unusable)), documentOf("new"));
		expect(change.offsetBytes).toBe(SECTOR_BYTES);
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: SECTOR_BYTES }), (garbage) => {
				const partition = partitionOf(garbage, record(3, "old"));
				expect(identityChange(found(partition), documentOf("new")).offsetBytes).toBe(0);
			}),
		);
	});

	it("is refused where a device would not take it, or the numbers are used up", () => {
		const old = found(partitionOf(record(1, "old")));
		expect(() => identityChange(old, utf8Encode("{}"))).toThrow("server is not an object");
		const last = found(partitionOf(record(0xffff_fffe, "old")));
		expect(() => identityChange(last, documentOf("new"))).toThrow("used up");
	});
});

describe("power that fails during a change", () => {
	const modes: readonly CutMode[] = ["before", "half", "scattered", "after"];
	const befores = [partitionOf(record(1, "old")), partitionOf(record(6, "older"), record(7, "old"))];
	const cuts = modes.flatMap((mode) =>
		[1, 2].flatMap((at) => befores.map((before) => ({ mode, at, before }))),
	);

	async function cutOnce(partition: Uint8Array, cut: { mode: CutMode; at: number; seed: number }) {
		const power = new Power();
		power.seed = cut.seed;
		power.cuts = [{ at: cut.at, mode: cut.mode }];
		const flash = new NorSectors(partition, power);
		const place = { flash, offsetBytes: 0 };
		const old = await readIdentity(place, () => {});
		await expect(changeIdentity(place, old, documentOf("new"))).rejects.toThrow(PowerCut);
		return flash.bytes;
	}

	it("leaves the old identity or the new one, and the change can be made again", async () => {
		const seen = new Set<string>();
		for (const { mode, at, before } of cuts)
			for (let seed = 0; seed < 40; seed++) {
				const after = await cutOnce(before, { mode, at, seed });
				const { host } = found(after).identity.server;
				expect(["old", "new"], `${mode} ${at} ${seed}`).toContain(host);
				seen.add(`${mode} ${at} ${host}`);
				const again = { flash: new NorSectors(after, new Power()), offsetBytes: 0 };
				const written = await changeIdentity(again, found(after), documentOf("newest"));
				expect(written.identity.server.host).toBe("newest");
			}
		expect(seen).toContain("half 2 old");
		expect(seen).toContain("after 2 new");
	});

	it("also when it fails in the repetition", async () => {
		for (const { mode, at, before } of cuts)
			for (let seed = 0; seed < 10; seed++) {
				const once = await cutOnce(before, { mode: "scattered", at: 1 + (seed % 2), seed });
				const { host } = found(await cutOnce(once, { mode, at, seed })).identity.server;
				expect(["old", "new"], `${mode} ${at} ${seed}`).toContain(host);
			}
	});
});

describe("a flash that does not keep what is written", () => {
	it("is told of, and the old identity counts", async () => {
		const flash = new NorSectors(partitionOf(record(1, "old")), new Power());
		const place = {
			flash: { ...flash, read: flash.read.bind(flash), writeSector: async () => {} },
			offsetBytes: 0,
		};
		const old = await readIdentity(place, () => {});
		await expect(changeIdentity(place, old, documentOf("new"))).rejects.toThrow("does not hold");
		expect(found(flash.bytes).identity.server.host).toBe("old");
	});
});
