// The device's name in the local network: probing, announcing, rivals, and hostile senders (RFC 6762).
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Discovery } from "../../src/adapters/discovery.js";
import { seededRandom } from "../fakes/seeded-random.js";
import { dnsAddress, dnsQuery } from "../support/udp-peer.js";
import { DiscoveryRig, GROUP, MDNS, OTHER, OWN, PTR, read } from "./discovery-rig.js";
import type { Sent } from "./fake-udp.js";

let rig: DiscoveryRig;
let time: DiscoveryRig["time"];
let udp: DiscoveryRig["udp"];
let log: DiscoveryRig["log"];
let discovery: DiscoveryRig["discovery"];

beforeEach(() => {
	rig = new DiscoveryRig();
	({ time, udp, log, discovery } = rig);
});

const isProbe = (sent: Sent) => !read(sent).isResponse;

describe("a name", () => {
	test("is probed for three times, with what it proposes, then announced twice", () => {
		discovery.networkUp(OWN);
		expect(udp.last.options).toMatchObject({ port: MDNS, timeToLive: 255 });
		expect(udp.last.groups).toEqual([GROUP]);
		time.advance(5000);
		const sent = udp.takeSent();
		expect(sent.map(isProbe)).toEqual([true, true, true, false, false]);
		expect(sent.every(({ address, port }) => address === GROUP && port === MDNS)).toBe(true);
		const probe = sent[0] && read(sent[0]);
		expect(probe?.questions[0]).toMatchObject({ name: "boiler.local", type: 255, isUnicastWanted: true });
		expect(Buffer.from(probe?.authorities[0]?.data ?? [])).toEqual(Buffer.from([192, 0, 2, 7]));
		const announced = sent[3] && read(sent[3]);
		expect(announced?.answers.map(({ type }) => type).sort((a, b) => a - b)).toEqual([
			1, 12, 12, 12, 12, 16, 16, 33, 33, 47,
		]);
		expect(log.lines).toEqual(["info: mdns: known as Boiler.local"]);
	});

	test("of 63 letters still fits its announcement", () => {
		const long = new Discovery({
			...{ io: udp.io, clock: time, timer: time, random: seededRandom(3), log },
			hostname: "a".repeat(63),
			services: ["_http._tcp", "_ota._tcp"].map((type) => ({
				...{ type, port: 3232 },
				texts: [`version=${"1".repeat(31)}`, `device_type=${"t".repeat(32)}`, "chip=esp32c3", "path=/info"],
			})),
		});
		long.networkUp(OWN);
		time.advance(5000);
		expect(udp.takeSent().map(isProbe)).toEqual([true, true, true, false, false]);
	});

	test("that another has is given up for the next one", () => {
		discovery.networkUp(OWN);
		time.advance(300);
		udp.last.deliver(OTHER, MDNS, dnsAddress({ name: "boiler.local", address: [192, 0, 2, 9] }));
		time.advance(5000);
		expect(log.lines).toEqual([
			"warn: mdns: the name is taken, trying Boiler-2",
			"info: mdns: known as Boiler-2.local",
		]);
	});

	test.each([
		{ what: "its own words", from: MDNS, address: [192, 0, 2, 7], ttlSeconds: 120 },
		{ what: "an answer that is not from port 5353", from: 40_000, address: [192, 0, 2, 9], ttlSeconds: 120 },
		{ what: "another's leaving", from: MDNS, address: [192, 0, 2, 9], ttlSeconds: 0 },
	])("is not given up for $what", ({ from, address, ttlSeconds }) => {
		discovery.networkUp(OWN);
		time.advance(300);
		udp.last.deliver(OTHER, from, dnsAddress({ name: "boiler.local", address, ttlSeconds }));
		time.advance(5000);
		expect(log.lines).toEqual(["info: mdns: known as Boiler.local"]);
	});

	test.each([
		{ rival: [192, 0, 2, 200], yields: true },
		{ rival: [192, 0, 2, 1], yields: false },
		{ rival: [192, 0, 2, 7], yields: false },
	])("probed for by $rival at the same time goes to the larger address", ({ rival, yields }) => {
		discovery.networkUp(OWN);
		time.advance(300);
		udp.takeSent();
		udp.last.deliver(OTHER, MDNS, dnsAddress({ name: "boiler.local", address: rival, isProbe: true }));
		time.advance(900);
		expect(udp.takeSent().filter(isProbe).length > 0).toBe(!yields);
		time.advance(5000);
		// The rival that was yielded to has not defended the name since, so it is ours after all.
		expect(log.lines).toEqual(["info: mdns: known as Boiler.local"]);
	});

	test("that is contested later is probed for again before another is taken", () => {
		rig.named();
		const claim = dnsAddress({ name: "boiler.local", address: [192, 0, 2, 9] });
		udp.last.deliver(OTHER, MDNS, claim);
		time.advance(400);
		expect(udp.takeSent().every(isProbe)).toBe(true);
		time.advance(5000);
		expect(log.lines.at(-1)).toBe("info: mdns: known as Boiler.local");
	});

	test("contested without end costs one attempt in five seconds", () => {
		discovery.networkUp(OWN);
		const names = ["", ...Array.from({ length: 99 }, (_, index) => `-${index + 2}`)];
		for (let i = 0; i < 120; i++) {
			time.advance(500);
			for (const suffix of names)
				udp.last.deliver(OTHER, MDNS, dnsAddress({ name: `boiler${suffix}.local`, address: [192, 0, 2, 9] }));
		}
		expect(log.lines.length).toBeGreaterThan(5);
		expect(log.lines.length).toBeLessThan(25);
		expect(udp.sent.length).toBeLessThan(50);
		expect(time.pendingCount).toBeLessThan(3);
	});

	test("is said good-bye to at the end, and nothing is heard any more", () => {
		rig.named();
		discovery.close();
		const [goodbye] = udp.takeSent();
		expect(goodbye && read(goodbye).answers.every(({ ttlSeconds }) => ttlSeconds === 0)).toBe(true);
		expect(udp.last.isClosed).toBe(true);
		expect(time.pendingCount).toBe(0);
	});

	test("is probed for again with each address the network gives", () => {
		rig.named();
		discovery.networkUp("192.0.2.8");
		expect(udp.sockets.map(({ isClosed }) => isClosed)).toEqual([true, false]);
		time.advance(5000);
		expect(udp.takeSent().map(isProbe)).toEqual([true, true, true, false, false]);
		discovery.networkDown();
		expect(udp.takeSent()).toEqual([]);
		expect(time.pendingCount).toBe(0);
	});

	test("waits for a socket where none is free, and for what cannot be sent does nothing", () => {
		udp.openFault = new Error("no socket");
		discovery.networkUp(OWN);
		time.advance(59_000);
		udp.openFault = undefined;
		udp.writeFault = new Error("UDP send failed");
		time.advance(10_000);
		expect(log.lines).toEqual(["warn: mdns: no socket", "info: mdns: known as Boiler.local"]);
		expect(time.escaped).toEqual([]);
	});
});

test("nothing that anybody sends leaves a callback or starts timers without end", () => {
	rig.named();
	const near = fc.constantFrom(
		dnsQuery({ name: "_ota._tcp.local", type: PTR }),
		dnsAddress({ name: "boiler.local", address: [1, 2, 3, 4] }),
		dnsAddress({ name: "boiler.local", address: [255, 2, 3, 4], isProbe: true }),
	);
	const changed = fc
		.tuple(near, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }))
		.map(([bytes, changes]) => {
			const copy = Uint8Array.from(bytes);
			for (const [at, value] of changes) copy[at % copy.length] = value;
			return copy;
		});
	fc.assert(
		fc.property(
			fc.oneof(changed, fc.uint8Array({ maxLength: 200 })),
			fc.constantFrom(MDNS, 9),
			(bytes, port) => {
				udp.last.deliver(OTHER, port, bytes);
				time.advance(100);
				expect(time.pendingCount).toBeLessThan(3);
			},
		),
		{ numRuns: 2000 },
	);
	expect([...udp.escaped, ...time.escaped]).toEqual([]);
});
