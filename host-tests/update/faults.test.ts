// Ports that break their own contract: the updater survives them, because on the chip the alternative is a restart.
import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS, type Settings } from "../../src/protocol/identity.js";
import type { Ports, Slots } from "../../src/update/ports.js";
import { createUpdater } from "../../src/update/runner.js";
import { FakeCloud, FakeServer } from "../fakes/fake-cloud.js";
import { FakeCrypto } from "../fakes/fake-crypto.js";
import { fakeImage, fakeRelease } from "../fakes/fake-image.js";
import { ManualTime } from "../fakes/manual-time.js";
import { NorSlots } from "../fakes/nor-slots.js";
import { Power } from "../fakes/power.js";

const HOUR_MS = 3_600_000;

function rig(
	spoil: (ports: Ports, server: FakeServer) => Ports,
	isOnTrial = false,
	settings: Settings = DEFAULT_SETTINGS,
) {
	const time = new ManualTime();
	const server = new FakeServer();
	server.release = fakeRelease({ version: "1.1.0" });
	const slots = new NorSlots({ power: new Power(), sizeBytes: 0x8_0000, onRestart: () => {} });
	slots.flash(fakeImage({ version: "1.0.0", sizeBytes: 20_480 }));
	if (isOnTrial) slots.records[0] = { sequence: 1, state: "new", trialBoots: 1 };
	const log: string[] = [];
	let restarts = 0;
	const ports: Ports = {
		clock: time,
		timer: time,
		random: { below: () => 0 },
		log: { write: (level, text) => void log.push(`${level} ${text}`) },
		slots,
		crypto: new FakeCrypto(),
		cloud: new FakeCloud(server, time),
		store: { read: () => undefined, write: () => {} },
		device: {
			deviceType: "inverter",
			chip: "esp32c3",
			version: "1.0.0",
			resetReason: "poweron",
			hasErasedStorage: false,
			memoryMinBytes: () => undefined,
			rssiDbm: () => undefined,
			restart: () => {
				restarts++;
			},
		},
		healthChecks: [],
	};
	const updater = createUpdater(spoil(ports, server), settings);
	updater.start();
	return { time, server, log, updater, slots, restarts: () => restarts };
}

function throwing(what: string): () => never {
	return () => {
		throw new TypeError(what);
	};
}

/** Slots whose one method throws at the very start. */
function failingAtFirst(method: keyof Slots, { slots, clock }: Ports): Slots {
	return new Proxy(slots, {
		get: (target, name: keyof Slots) => {
			if (name === method && clock.nowMs() === 0) return throwing("ESP_ERR_FLASH_OP_FAIL");
			return target[name].bind(target);
		},
	});
}

describe("the updater", () => {
	it("takes a cloud call that is never answered for a time-out, and asks again", () => {
		let asked = 0;
		const { time } = rig((ports) => ({
			...ports,
			cloud: {
				manifest: () => {
					asked++;
				},
				rollbackOrder: () => {},
				report: () => {},
				fetchChunks: () => {},
				disconnect: () => {},
			},
		}));
		time.advance(3 * HOUR_MS);
		expect(asked).toBeGreaterThan(2);
		expect(time.escaped).toEqual([]);
	});

	it("ignores what a request that was given up still delivers", () => {
		let late: ((bytes: Uint8Array) => boolean) | undefined;
		const { time, slots } = rig((ports, server) => ({
			...ports,
			cloud: Object.assign(new FakeCloud(server, ports.timer), {
				fetchChunks: (request: { onData: (b: Uint8Array, o: number, c: number) => boolean }) => {
					late ??= (bytes) => request.onData(bytes, 0, bytes.length);
				},
				disconnect: () => {},
			}),
		}));
		time.advance(7 * 60_000);
		expect(late).toBeDefined();
		expect(late?.(new Uint8Array([0, 0, 16, 0]))).toBe(false);
		expect(slots.violations).toEqual([]);
	});

	it.each<[string, (ports: Ports, server: FakeServer) => Ports]>([
		[
			"cloud",
			(ports) => ({
				...ports,
				cloud: {
					...ports.cloud,
					manifest: throwing("m"),
					report: throwing("m"),
					rollbackOrder: throwing("m"),
					fetchChunks: throwing("m"),
					disconnect: throwing("m"),
				},
			}),
		],
		["random", (ports) => ({ ...ports, random: { below: throwing("m") } })],
		["store", (ports) => ({ ...ports, store: { read: throwing("m"), write: throwing("m") } })],
		[
			"crypto",
			(ports) => ({
				...ports,
				crypto: {
					hasher: ports.crypto.hasher,
					isTrusted: throwing("m"),
					useImage: throwing("m"),
					isChunkAuthentic: throwing("m"),
				},
			}),
		],
		[
			"hasher",
			(ports) => ({
				...ports,
				crypto: Object.assign(new FakeCrypto(), {
					hasher: { update: throwing("m"), digestHex: throwing("m") },
				}),
			}),
		],
		["slots", (ports) => ({ ...ports, slots: new Proxy(ports.slots, { get: () => throwing("m") }) })],
		["log", (ports) => ({ ...ports, log: { write: throwing("m") } })],
		["restart", (ports) => ({ ...ports, device: { ...ports.device, restart: throwing("m") } })],
	])("lets nothing out of its callbacks when %s throws, never spins, and lives on", (_what, spoil) => {
		const { time, restarts } = rig(spoil);
		let turns = 0;
		const endMs = 2 * HOUR_MS;
		while (time.nowMs() < endMs && turns < 30_000 && time.nextMs !== undefined) {
			time.fireNext();
			turns++;
		}
		expect(time.escaped).toEqual([]);
		expect(time.nowMs()).toBeGreaterThanOrEqual(endMs);
		expect(restarts()).toBe(0);
	});

	it("reports a fault of its own as device-failed, and polls again", () => {
		let checkCount = 0;
		const { time, server, log, restarts } = rig((ports) => ({
			...ports,
			crypto: Object.assign(new FakeCrypto(), {
				isTrusted: () => {
					checkCount++;
					throw new TypeError("no such method");
				},
			}),
		}));
		time.advance(3 * HOUR_MS);
		const errors = server.reports.map((report) => report.error).filter((error) => error !== undefined);
		expect(errors[0]).toEqual({ code: "device-failed", message: "no such method" });
		expect(log).toContain("warn device-failed: 1.1.0: no such method");
		expect(checkCount).toBeGreaterThan(1);
		expect(restarts()).toBe(0);
	});

	it("on trial asks for nothing and touches nothing, whatever throws", () => {
		const { time, server, slots } = rig(
			(ports) => ({
				...ports,
				healthChecks: [{ name: "x", isHealthy: throwing("m") }],
				random: { below: throwing("m") },
			}),
			true,
		);
		time.advance(200_000);
		expect(server.requests.filter((kind) => kind !== "report")).toEqual([]);
		expect(slots.violations).toEqual([]);
	});

	it.each(["running", "spare", "isOnTrial", "trialBootsMax"] as const)(
		"gives a trial all its time where %s could not be read at the start",
		(method) => {
			const { time, server, slots, log } = rig(
				(ports) => ({ ...ports, slots: failingAtFirst(method, ports) }),
				true,
				{ ...DEFAULT_SETTINGS, confirmSeconds: 60 },
			);
			time.advance(120_000);
			expect(log).toContain("error device-failed: ESP_ERR_FLASH_OP_FAIL");
			expect(log.filter((line) => /roll|ROLLBACK/.test(line))).toEqual([]);
			expect(log).toContain("info update 1.0.0 confirmed");
			expect(slots.violations).toEqual([]);
			expect(server.requests).toContain("report");
		},
	);

	it("ends a trial in its time, although it was found late and nothing is accepted", () => {
		const { time, log } = rig(
			(ports, server) => {
				server.fault = () => "network-unavailable";
				return { ...ports, slots: failingAtFirst("running", ports) };
			},
			true,
			{ ...DEFAULT_SETTINGS, confirmSeconds: 60 },
		);
		time.advance(115_000);
		expect(log.join()).not.toContain("state ROLLBACK");
		time.advance(10_000);
		expect(log.join()).toContain("state ROLLBACK");
	});

	it("does nothing more once it is stopped", () => {
		const { time, server, updater } = rig((ports) => ports);
		time.advance(100);
		updater.stop();
		const count = server.requests.length;
		time.advance(5 * HOUR_MS);
		updater.checkNow();
		time.advance(HOUR_MS);
		expect(server.requests).toHaveLength(count);
	});

	it("asks at once when it is told to, and only then", () => {
		const { time, server, updater } = rig((ports) => ports);
		server.release = undefined;
		time.advance(60_000);
		const count = server.requests.filter((kind) => kind === "manifest").length;
		updater.checkNow();
		updater.checkNow();
		time.advance(1000);
		expect(server.requests.filter((kind) => kind === "manifest")).toHaveLength(count + 1);
	});
});
