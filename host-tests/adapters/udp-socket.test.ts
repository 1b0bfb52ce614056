// Datagrams in turns: few at a time, none forgotten, and of a flood the oldest thrown away.
import { beforeEach, expect, test } from "vitest";
import { UdpChannel } from "../../src/adapters/udp-socket.js";
import { ManualTime } from "../fakes/manual-time.js";
import { FakeUdpNetwork } from "./fake-udp.js";

let time: ManualTime;
let udp: FakeUdpNetwork;
let channel: UdpChannel;
let seen: number[];
let faults: unknown[];
let onSeen: ((number: number) => void) | undefined;

beforeEach(() => {
	time = new ManualTime();
	udp = new FakeUdpNetwork();
	seen = [];
	faults = [];
	onSeen = undefined;
	channel = new UdpChannel({
		io: udp.io,
		timer: time,
		onDatagram: ({ bytes }) => {
			seen.push(bytes[0] ?? -1);
			onSeen?.(bytes[0] ?? -1);
		},
		onFault: (cause) => faults.push(cause),
	});
});

function deliver(...numbers: readonly number[]): void {
	udp.last.deliver("192.0.2.9", 5353, ...numbers.map((number) => Uint8Array.of(number)));
}

test("datagrams are handed on two a turn, without another call of the socket", () => {
	deliver(1, 2, 3, 4, 5);
	expect(seen).toEqual([1, 2]);
	time.fireNext();
	expect(seen).toEqual([1, 2, 3, 4]);
	time.fireNext();
	expect(seen).toEqual([1, 2, 3, 4, 5]);
	expect(time.pendingCount).toBe(0);
});

test("what comes between two turns waits for its own, behind those that were there", () => {
	deliver(1, 2, 3, 4);
	deliver(5);
	deliver(6);
	expect(seen).toEqual([1, 2]);
	expect(time.pendingCount).toBe(1);
	time.advance(1);
	expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
	deliver(7);
	expect(seen.at(-1)).toBe(7);
});

test("no more than eight wait", () => {
	deliver(...Array.from({ length: 40 }, (_, index) => index));
	time.advance(1);
	expect(seen).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
});

test("a fault takes one datagram with it, not those behind it", () => {
	onSeen = (number) => {
		if (number === 1) throw new Error("bad datagram");
	};
	deliver(1, 2, 3);
	time.advance(1);
	expect(seen).toEqual([1, 2, 3]);
	expect(faults).toHaveLength(1);
	expect([...udp.escaped, ...time.escaped]).toEqual([]);
});

test("once it is closed, also by what a datagram brought, nothing more comes and nothing waits", () => {
	onSeen = () => channel.close();
	deliver(1, 2, 3);
	expect(time.pendingCount).toBe(0);
	expect(seen).toEqual([1]);
	const other = new UdpChannel({
		...{ io: udp.io, timer: time, onFault: (cause: unknown) => faults.push(cause) },
		onDatagram: ({ bytes }) => seen.push(bytes[0] ?? -1),
	});
	deliver(4, 5, 6);
	other.close();
	expect(time.pendingCount).toBe(0);
	expect(seen).toEqual([1, 4, 5]);
	expect(faults).toEqual([]);
});
