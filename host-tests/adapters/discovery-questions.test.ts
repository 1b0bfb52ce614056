// What a device answers to those who ask for its name or its services, and whom it does not answer (RFC 6762).
import { beforeEach, describe, expect, test } from "vitest";
import { dnsName, dnsQuery, u16 } from "../support/udp-peer.js";
import { DiscoveryRig, GROUP, MDNS, OTHER, PTR, read } from "./discovery-rig.js";

let rig: DiscoveryRig;
let time: DiscoveryRig["time"];
let udp: DiscoveryRig["udp"];

beforeEach(() => {
	rig = new DiscoveryRig();
	({ time, udp } = rig);
});

describe("a question", () => {
	test("to all is answered to all, a little later, with what goes with it", () => {
		rig.named();
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
		rig.named();
		udp.last.deliver(OTHER, MDNS, dnsQuery({ name: "boiler.local", type: 1, classWord: 0x8001 }));
		expect(udp.takeSent()).toMatchObject([{ address: OTHER, port: MDNS }]);
	});

	test("of a plain client gets its number and its question back", () => {
		rig.named();
		udp.last.deliver(OTHER, 40_000, dnsQuery({ id: 77, name: "boiler.local", type: 1 }));
		const [sent] = udp.takeSent();
		expect(sent).toMatchObject({ address: OTHER, port: 40_000 });
		const message = sent && read(sent);
		expect(message).toMatchObject({ id: 77, questions: [{ name: "boiler.local", type: 1 }] });
		expect(message?.answers[0]?.ttlSeconds).toBe(10);
	});

	test("whose sender knows the answer is not answered; one who is about to forget it is", () => {
		rig.named();
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
		rig.named();
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
			rig.named();
			udp.last.deliver(OTHER, MDNS, dnsQuery({ name, type: 255 }));
			udp.last.deliver(OTHER, 40_000, dnsQuery({ name, type: 255 }));
			time.advance(2000);
			expect(udp.takeSent()).toEqual([]);
		},
	);

	test("with a forged sender makes the device say no more than ten words a second", () => {
		rig.named();
		for (let i = 0; i < 500; i++)
			udp.last.deliver("203.0.113.5", 40_000 + i, dnsQuery({ name: "boiler.local", type: 255 }));
		expect(udp.takeSent()).toHaveLength(10);
	});

	test.each([
		{ before: 49, isHeard: true },
		{ before: 50, isHeard: false },
	])("after $before messages of the same second is heard: $isHeard", ({ before, isHeard }) => {
		rig.named();
		const ask = () => udp.last.deliver(OTHER, 40_000, dnsQuery({ name: "boiler.local", type: 1 }));
		for (let i = 0; i < before; i++) udp.last.deliver(OTHER, MDNS, dnsQuery({ name: "x", type: 1 }));
		ask();
		expect(udp.takeSent()).toHaveLength(isHeard ? 1 : 0);
		time.advance(1000);
		ask();
		expect(udp.takeSent()).toHaveLength(1);
	});
});
