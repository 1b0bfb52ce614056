// Keeping the device in its network, over an interface that does what drivers do: fails, hangs, throws, goes, comes back
// with another address, and speaks at awkward moments.
import { beforeEach, describe, expect, test } from "vitest";
import { ATTEMPT_MAX_MS, Network } from "../../src/adapters/network.js";
import type { NetworkInterface } from "../../src/adapters/network-interface.js";
import { ManualTime } from "../fakes/manual-time.js";
import { RecordingLog } from "../fakes/recording-log.js";
import { seededRandom } from "../fakes/seeded-random.js";

const OFF = 200;
const CONNECTING = 300;
const LINKED = 400;
const READY = 500;

class FakeInterface implements NetworkInterface {
	state = OFF;
	ip: string | undefined;
	signal: number | undefined = -71;
	isClosed = false;
	connects = 0;
	disconnects = 0;
	/** What connect() does to it. */
	onConnect = () => {
		this.state = CONNECTING;
	};

	connect(): void {
		this.connects += 1;
		this.onConnect();
	}
	disconnect(): void {
		this.disconnects += 1;
		this.state = OFF;
		this.ip = undefined;
	}
	close(): void {
		this.isClosed = true;
	}
	connection(): number {
		return this.state;
	}
	address(): string | undefined {
		return this.ip;
	}
	rssiDbm(): number | undefined {
		return this.signal;
	}
}

let time: ManualTime;
let log: RecordingLog;
let opened: FakeInterface[];
let told: string[];
let changed: () => void;
let onOpen: (made: FakeInterface) => void;

function start(): Network {
	const network = new Network({
		open: (onChanged) => {
			const made = new FakeInterface();
			onOpen(made);
			opened.push(made);
			changed = onChanged;
			return made;
		},
		clock: time,
		timer: time,
		random: seededRandom(1),
		log,
		listeners: () => [
			{ networkUp: (address) => told.push(`up ${address}`), networkDown: () => told.push("down") },
		],
	});
	network.start();
	time.advance(0);
	return network;
}

function become(state: number, ip?: string): void {
	const made = opened.at(-1);
	if (made === undefined) throw new Error("no interface");
	made.state = state;
	made.ip = ip;
	changed();
	time.advance(0);
}

beforeEach(() => {
	time = new ManualTime();
	log = new RecordingLog();
	opened = [];
	told = [];
	onOpen = () => {};
});

describe("a network", () => {
	test("comes up once it has an address, and tells so once", () => {
		const network = start();
		become(LINKED);
		expect(told).toEqual([]);
		become(READY, "192.0.2.7");
		changed();
		time.advance(100_000);
		expect(told).toEqual(["up 192.0.2.7"]);
		expect(network.address).toBe("192.0.2.7");
		expect(log.lines).toEqual(["info: network: up, address 192.0.2.7"]);
	});

	test("has a signal strength only while it is up", () => {
		const network = start();
		become(LINKED);
		expect(network.rssiDbm).toBeUndefined();
		become(READY, "192.0.2.7");
		expect(network.rssiDbm).toBe(-71);
		become(OFF);
		expect(network.rssiDbm).toBeUndefined();
	});

	test("is up with an address of IPv4, although the driver waits for one of IPv6 and says nothing", () => {
		start();
		become(LINKED, "fe80::1");
		expect(told).toEqual([]);
		const [made] = opened;
		if (made) made.ip = "192.0.2.7";
		time.advance(1000);
		expect(told).toEqual(["up 192.0.2.7"]);
	});

	test("is tried again after a refusal, less and less often, at least once a minute, for ever", () => {
		onOpen = (made) => {
			made.onConnect = () => {
				made.state = CONNECTING;
				time.set(() => become(OFF), 100);
			};
		};
		start();
		time.advance(30_000);
		const early = opened[0]?.connects ?? 0;
		expect(early).toBeGreaterThanOrEqual(4);
		expect(early).toBeLessThanOrEqual(6);
		time.advance(86_400_000);
		const perDay = (opened[0]?.connects ?? 0) - early;
		expect(perDay).toBeGreaterThanOrEqual(1190);
		expect(perDay).toBeLessThan(1810);
		expect(opened).toHaveLength(1);
		expect(time.pendingCount).toBe(1);
	});

	test.each([
		{ state: OFF, reason: "no connection came about" },
		{ state: CONNECTING, reason: "no connection came about" },
		{ state: LINKED, reason: "connected, but given no address" },
	])("whose attempt stays at $state is given up after its time", ({ state, reason }) => {
		onOpen = (made) => {
			made.onConnect = () => {
				made.state = state;
			};
		};
		start();
		time.advance(ATTEMPT_MAX_MS + 1000);
		expect(log.lines[0]).toMatch(new RegExp(`^warn: network: ${reason}; again in 1 s`));
		expect(opened[0]?.disconnects).toBe(1);
		time.advance(1500);
		expect(opened[0]?.connects).toBe(2);
	});

	test("does not take the late word of a disconnect for the end of the next attempt", () => {
		start();
		time.advance(ATTEMPT_MAX_MS + 1000);
		// The radio's word of the disconnect, while the device rests.
		changed();
		time.advance(1500);
		expect(opened[0]?.connects).toBe(2);
		expect(log.lines).toHaveLength(1);
		become(READY, "192.0.2.7");
		expect(told).toEqual(["up 192.0.2.7"]);
	});

	test("that is lost is told, and joined again", () => {
		start();
		become(READY, "192.0.2.7");
		become(OFF);
		expect(told).toEqual(["up 192.0.2.7", "down"]);
		time.advance(1500);
		become(READY, "192.0.2.8");
		expect(told).toEqual(["up 192.0.2.7", "down", "up 192.0.2.8"]);
	});

	test("whose address goes or changes without a word is noticed within half a minute", () => {
		start();
		become(READY, "192.0.2.7");
		const [made] = opened;
		if (made) made.ip = "192.0.2.9";
		time.advance(31_000);
		expect(told.at(-1)).toBe("up 192.0.2.9");
		if (made) made.ip = undefined;
		time.advance(31_000);
		expect(told.at(-1)).toBe("down");
	});

	test("that comes and goes is not pressed: back-off begins anew only after a minute of it", () => {
		const rests: number[] = [];
		start();
		for (let i = 0; i < 4; i++) {
			become(READY, "192.0.2.7");
			become(OFF);
			rests.push(time.nextMs ?? 0);
			time.advance(20_000);
		}
		expect(rests[3]).toBeGreaterThan(4 * (rests[0] ?? 0));
		become(READY, "192.0.2.7");
		time.advance(61_000);
		become(OFF);
		expect(time.nextMs).toBeLessThan(1300);
	});

	test.each(["open", "connect", "connection", "address", "disconnect"] as const)(
		"outlives a driver that throws in %s(), and opens it anew",
		(call) => {
			const failing = () => {
				throw new Error("driver");
			};
			onOpen = (made) => {
				if (opened.length > 0) return;
				if (call === "open") {
					opened.push(made);
					failing();
				}
				if (call === "address") {
					made.onConnect = () => {
						made.state = READY;
					};
				}
				if (call !== "open") made[call] = failing;
			};
			start();
			time.advance(ATTEMPT_MAX_MS + 3000);
			expect(opened.length).toBeGreaterThan(1);
			become(READY, "192.0.2.7");
			expect(told).toEqual(["up 192.0.2.7"]);
			expect(time.escaped).toEqual([]);
		},
	);

	test("outlives a listener that throws, and one timer that cannot be set", () => {
		told.push = () => {
			throw new Error("listener");
		};
		start();
		become(READY, "192.0.2.7");
		expect(log.lines.at(-1)).toBe("error: network: listener");
		expect(opened[0]?.isClosed).toBe(false);
		time.set = () => {
			throw new Error("no timer");
		};
		expect(changed).not.toThrow();
	});

	test("that was stopped is closed and silent", () => {
		const network = start();
		become(READY, "192.0.2.7");
		network.stop();
		expect(opened[0]?.isClosed).toBe(true);
		changed();
		time.advance(100_000);
		expect(told).toEqual(["up 192.0.2.7"]);
		expect(network.address).toBeUndefined();
		expect(time.pendingCount).toBe(0);
	});
});
