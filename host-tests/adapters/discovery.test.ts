// The device's name in the local network: probing, announcing, answering, rivals, and hostile senders (RFC 6762).
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Discovery } from "../../src/adapters/discovery.js";
import { parseDnsMessage } from "../../src/protocol/dns-message.js";
import { ManualTime } from "../fakes/manual-time.js";
import { RecordingLog } from "../fakes/recording-log.js";
import { seededRandom } from "../fakes/seeded-random.js";
import { dnsAddress, dnsName, dnsQuery, u16 } from "../support/udp-peer.js";
import { FakeUdpNetwork, type Sent } from "./fake-udp.js";

const PTR = 12;
const MDNS = 5353;
const GROUP = "224.0.0.251";
const OWN = "192.0.2.7";
const OTHER = "192.0.2.9";

let time: ManualTime;
let udp: FakeUdpNetwork;
let log: RecordingLog;
let discovery: Discovery;

beforeEach(() => {
	time = new ManualTime();
	udp = new FakeUdpNetwork();
	log = new RecordingLog();
	discovery = new Discovery({
		io: udp.io,
		hostname: "Boiler",
		services: [
			{ type: "_http._tcp", port: 3232, texts: ["path=/info"] },
			{ type: "_ota._tcp", port: 3232, texts: ["version=1.0.0"] },
		],
		clock: time,
		timer: time,
		random: seededRandom(3),
		log,
	});
});

/** Up, named, and past its announcements. */
function named(): void {
	discovery.networkUp(OWN);
	time.advance(5000);
	udp.takeSent();
}

const read = ({ bytes }: Sent) => {
	const message = parseDnsMessage(bytes);
	if (message === undefined) throw new Error("sent what nobody can read");
	return message;
};
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
		named();
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
		named();
		discovery.close();
		const [goodbye] = udp.takeSent();
		expect(goodbye && read(goodbye).answers.every(({ ttlSeconds }) => ttlSeconds === 0)).toBe(true);
		expect(udp.last.isClosed).toBe(true);
		expect(time.pendingCount).toBe(0);
	});

	test("is probed for again with each address the network gives", () => {
		named();
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

describe("a question", () => {
	test("to all is answered to all, a little later, with what goes with it", () => {
		named();
		udp.last.deliver(OTHER, MDNS, dnsQuery({ name: "_ota._tcp.local", type: PTR }));
		expect(udp.takeSent()).toEqual([]);
		time.advance(130);
		const [sent] = udp.takeSent();
		expect(sent).toMatchObject({ address: GROUP, port: MDNS });
		const message = sent && read(sent);
		expect(message?.answers.map(({ target }) => target)).toEqual(["boiler._ota._tcp.local"]);
		expect(message?.additionals.map(({ type }) => type).sort((a, b) => a - b)).toEqual([1, 16, 33, 47]);
	});

	test("that wants its answer alone gets it alone", () => {
		named();
		udp.last.deliver(OTHER, MDNS, dnsQuery({ name: "boiler.local", type: 1, classWord: 0x8001 }));
		expect(udp.takeSent()).toMatchObject([{ address: OTHER, port: MDNS }]);
	});

	test("of a plain client gets its number and its question back", () => {
		named();
		udp.last.deliver(OTHER, 40_000, dnsQuery({ id: 77, name: "boiler.local", type: 1 }));
		const [sent] = udp.takeSent();
		expect(sent).toMatchObject({ address: OTHER, port: 40_000 });
		const message = sent && read(sent);
		expect(message).toMatchObject({ id: 77, questions: [{ name: "boiler.local", type: 1 }] });
		expect(message?.answers[0]?.ttlSeconds).toBe(10);
	});

	test("whose sender knows the answer is not answered; one who is about to forget it is", () => {
		named();
		const known = (ttlSeconds: number) =>
			Buffer.concat([
				u16(0, 0, 1, 1, 0, 0),
				...[dnsName("_ota._tcp.local"), u16(PTR, 1)],
				...[dnsName("_ota._tcp.local"), u16(PTR, 1, 0, ttlSeconds, 24), dnsName("boiler._ota._tcp.local")],
			]);
		udp.last.deliver(OTHER, MDNS, known(4000));
		time.advance(2000);
		expect(udp.takeSent()).toEqual([]);
		udp.last.deliver(OTHER, MDNS, known(2000));
		time.advance(2000);
		expect(udp.takeSent()).toHaveLength(1);
	});

	test("that many ask at once is answered once, and not again within a second", () => {
		named();
		const ask = () => udp.last.deliver(OTHER, MDNS, dnsQuery({ name: "_ota._tcp.local", type: PTR }));
		ask();
		ask();
		time.advance(130);
		ask();
		time.advance(130);
		expect(udp.takeSent()).toHaveLength(1);
		time.advance(1000);
		ask();
		time.advance(130);
		expect(udp.takeSent()).toHaveLength(1);
	});

	test.each(["other.local", "_ssh._tcp.local", "boiler", "", "boiler.local.x"])(
		"for %s is none of ours",
		(name) => {
			named();
			udp.last.deliver(OTHER, MDNS, dnsQuery({ name, type: 255 }));
			udp.last.deliver(OTHER, 40_000, dnsQuery({ name, type: 255 }));
			time.advance(2000);
			expect(udp.takeSent()).toEqual([]);
		},
	);

	test("with a forged sender makes the device say no more than ten words a second", () => {
		named();
		for (let i = 0; i < 500; i++)
			udp.last.deliver("203.0.113.5", 40_000 + i, dnsQuery({ name: "boiler.local", type: 255 }));
		expect(udp.takeSent()).toHaveLength(10);
	});

	test.each([
		{ before: 49, isHeard: true },
		{ before: 50, isHeard: false },
	])("after $before messages of the same second is heard: $isHeard", ({ before, isHeard }) => {
		named();
		const ask = () => udp.last.deliver(OTHER, 40_000, dnsQuery({ name: "boiler.local", type: 1 }));
		for (let i = 0; i < before; i++) udp.last.deliver(OTHER, MDNS, dnsQuery({ name: "x", type: 1 }));
		ask();
		expect(udp.takeSent()).toHaveLength(isHeard ? 1 : 0);
		time.advance(1000);
		ask();
		expect(udp.takeSent()).toHaveLength(1);
	});
});

test("nothing that anybody sends leaves a callback or starts timers without end", () => {
	named();
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
