// FotaSockets on XS, under AddressSanitizer, connected to servers that do not behave, while JavaScript looks elsewhere:
// nothing may be touched that is gone, no descriptor or place lost, and the next connection works.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Server, SocketsRig } from "./sockets-rig.js";

/** Errors as the simulated stack has them: those of the host. */
const EHOSTUNREACH = 113;
const ENETDOWN = 100;
const ENFILE = 23;

/** Connects, and each 20 ms does with it what is given here; `one` is its handle. */
const withOne = (port: number, act: string) => `const one = sockets.connect("127.0.0.1", ${port});
	const timer = Timer.repeat(() => { ${act} }, 20); const over = () => { sockets.close(one); Timer.clear(timer); };`;

/** Reads to the end without a turn of anything else, for ten seconds at most: `heard`, and the `count` that ended it. */
const READ_ALL = `let heard = "", count = 0;
	for (let tries = 0; tries < 500 && count >= 0; tries++) { count = sockets.read(one, buffer, 0, 4);
		if (count > 0) heard += text(count); else if (count === 0) Timer.delay(20); }`;

describe("a server that", { timeout: 60_000 }, () => {
	it("refuses is over at the first look, for reading and for writing", async () => {
		const server = await Server.open();
		const { port } = server;
		server.close();
		const rig = new SocketsRig(
			withOne(
				port,
				`say(one > 0, sockets.write(one, buffer, 0, 9), sockets.read(one, buffer, 0, 9), sockets.read(one, buffer, 0, 9)); over();`,
			),
		);
		await rig.says("true -1 -1 -1");
	});

	it("resets in the middle of what it says, while JavaScript is busy, is over behind what had come", async () => {
		const server = await Server.open((peer) =>
			peer.socket.once("data", () => {
				peer.socket.write("one,two,", () => setTimeout(() => peer.socket.resetAndDestroy(), 100));
			}),
		);
		const rig = new SocketsRig(
			withOne(
				server.port,
				`if (sockets.write(one, Uint8Array.of(104, 105), 0, 2) === 0) return; Timer.delay(300); ${READ_ALL}
				say("heard", heard, count, sockets.read(one, buffer, 0, 4), sockets.write(one, buffer, 0, 4)); over();`,
			),
		);
		await rig.says("heard one,two, -1 -1 -1");
	});

	it("ends and then resets, while JavaScript is busy, is one end, many times, and costs no place", async () => {
		const server = await Server.open((peer) =>
			peer.socket.once("data", () => {
				peer.socket.end("bye", () => setTimeout(() => peer.socket.resetAndDestroy(), 30));
			}),
		);
		// More rounds than there are places and descriptors together.
		const rig = new SocketsRig(
			`let round = 0, one = 0; Timer.repeat(() => {
				if (round === 25) return;
				one ||= sockets.connect("127.0.0.1", ${server.port}); if (one < 0) say("lost", one);
				if (sockets.write(one, Uint8Array.of(104, 105), 0, 2) === 0) return;
				Timer.delay(80); ${READ_ALL}
				if (heard !== "bye" || sockets.read(one, buffer, 0, 4) !== -1) say("odd", heard);
				sockets.close(one); one = 0; if (++round === 25) say("all rounds");
			}, 5);`,
		);
		await rig.says("all rounds");
		expect(rig.serial).not.toMatch(/lost|odd/);
	});

	it("ends while JavaScript is busy, having said all, has ended behind that, and can still be answered", async () => {
		const server = await Server.open((peer) => peer.socket.once("data", () => peer.socket.end("question")));
		const rig = new SocketsRig(
			withOne(
				server.port,
				`if (sockets.write(one, Uint8Array.of(104, 105), 0, 2) === 0) return; Timer.delay(100); ${READ_ALL}
				say("read", heard, count);
				sockets.write(one, Uint8Array.of(98, 121, 101), 0, 3); over();`,
			),
		);
		await rig.says("read question -1");
		const peer = await server.peer();
		await peer.hears("hibye");
		await peer.becomes("ended");
	});

	it("says nothing is waited for without end, and without harm", async () => {
		const server = await Server.open();
		const rig = new SocketsRig(
			`let looks = 0; ${withOne(server.port, `const count = sockets.read(one, buffer, 0, 99); if (count) say("heard", count); if (++looks === 30) { say("enough"); over(); }`)}`,
		);
		await rig.says("enough");
		expect(rig.serial).not.toContain("heard");
		await (await server.peer()).becomes("ended");
	});

	it("goes while it is written to is noticed there", async () => {
		const server = await Server.open();
		const rig = new SocketsRig(
			withOne(
				server.port,
				`const sent = sockets.write(one, buffer, 0, 100); if (sent < 0) { say("write", sent); over(); }`,
			),
		);
		const peer = await server.peer();
		await expect.poll(() => peer.heard.length).toBeGreaterThan(0);
		peer.socket.resetAndDestroy();
		await rig.says("write -1");
	});

	it("says more than the window holds, while JavaScript is busy again and again, is heard whole and in order", async () => {
		const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
		const server = await Server.open((peer) => void peer.socket.end(bytes));
		const rig = new SocketsRig(
			`let total = 0, wrong = 0; ${withOne(
				server.port,
				`let count = 1; while ((count = sockets.read(one, buffer, 0, 1436)) > 0) {
					for (let at = 0; at < count; at++) if (buffer[at] !== (total + at) % 251) wrong += 1;
					total += count; if (count % 7 === 0) break; }
				Timer.delay(5); if (count < 0) { say("read", total, wrong); over(); }`,
			)}`,
		);
		await rig.says("read 300000 0");
	});
});

describe("a connection of the device's", { timeout: 60_000 }, () => {
	it("moves nothing until it stands, and may be closed before", async () => {
		const server = await Server.open();
		const rig = new SocketsRig(
			`const early = sockets.connect("127.0.0.1", ${server.port});
			say("early", sockets.read(early, buffer, 0, 9), sockets.write(early, buffer, 0, 9));
			sockets.close(early); say("closed", sockets.read(early, buffer, 0, 9));
			${withOne(server.port, `if (sockets.write(one, Uint8Array.of(104, 105), 0, 2) > 0) { say("sent"); over(); }`)}`,
			"--link-rtt",
			"100",
		);
		await rig.says("early 0 0\nclosed -1\nsent");
		await expect.poll(() => server.peers.map((peer) => peer.heard)).toContain("hi");
	});

	it("has a place of its own, however many others are there, and keeps it when the port is closed", async () => {
		const server = await Server.open((peer) => peer.socket.on("data", (data) => peer.socket.write(data)));
		const rig = new SocketsRig(
			`sockets.listen(3232); const open = []; const timer = Timer.repeat(() => {
				const handle = sockets.accept(); if (handle > 0) open.push(handle);
				if (open.length < 3) return; Timer.clear(timer);
				const own = [1, 2, 3, 4].map(() => sockets.connect("127.0.0.1", ${server.port}));
				say("own", own.every((one) => one > 0 && !open.includes(one)), sockets.connect("127.0.0.1", ${server.port}));
				sockets.stop(); sockets.listen(3232); sockets.close(own[0]);
				const look = Timer.repeat(() => { sockets.write(own[3], Uint8Array.of(49), 0, 1);
					const count = sockets.read(own[3], buffer, 0, 9);
					if (count > 0) { Timer.clear(look); say("still", sockets.connect("127.0.0.1", ${server.port}) > 0); } }, 20);
			}, 20);`,
		);
		for (let count = 0; count < 3; count++) await rig.dial();
		await rig.says(`own true -${ENFILE}`);
		await rig.says("still true");
	});

	it("cannot be begun before there is an interface, nor without a way to the network; that costs no place", async () => {
		const rig = new SocketsRig(
			`for (let count = 0; count < 20; count++) say("connect", sockets.connect("127.0.0.1", 9));`,
			"--wifi",
			"workshop",
		);
		await rig.says(new RegExp(`(connect -${ENETDOWN}\n){20}`));
		const server = await Server.open();
		// More often than there are places, while the network is away; then one connection comes about.
		const later = new SocketsRig(
			`let count = 0;
			const timer = Timer.repeat(() => {
				const handle = sockets.connect("127.0.0.1", ${server.port});
				if (handle === -${EHOSTUNREACH}) count += 1;
				else if (count < 20) sockets.close(handle);
				else { Timer.clear(timer); say("then", handle > 0); }
			}, 20);`,
			"--network-down",
			"1-6",
		);
		await later.says(/then true/);
	});

	it("to what is no address or port is refused before lwip sees it", async () => {
		const rig = new SocketsRig(
			`for (const [address, port] of [["nowhere", 1], ["1.2.3.4.5", 1], ["255.255.255.2555", 1], ["::1", 1], ["", 1],
				["127.0.0.1", 0], ["127.0.0.1", 65536], ["127.0.0.1", 80.5], ["127.0.0.1", NaN], [undefined, 1]])
				say("no", outcome(() => sockets.connect(address, port)));
			say("less", outcome(() => native("xs_fota_sockets_connect").call(sockets, "127.0.0.1")));`,
		);
		await rig.says("less TypeError: missing argument");
		expect(rig.serial.match(/^no RangeError: /gm)).toHaveLength(10);
	});

	it("is gone with a network that goes and resets", async () => {
		const server = await Server.open();
		const rig = new SocketsRig(
			withOne(
				server.port,
				`const count = sockets.read(one, buffer, 0, 99); if (count < 0) { say("over", sockets.write(one, buffer, 0, 1)); over(); }`,
			),
			...["--network-down", "3-4", "--network-loss", "reset"],
		);
		await (await server.peer()).becomes("reset");
		await rig.says("over -1");
	});

	it("stalls with a network that goes, and goes on when it comes back; what was sent meanwhile is lost", async () => {
		const server = await Server.open();
		const rig = new SocketsRig(
			`for (const at of [3500, 5500]) Timer.set(() => say("at", at), at);
			${withOne(server.port, `sockets.write(one, buffer, 0, 1); if (sockets.read(one, buffer, 0, 99) < 0) { say("over"); over(); }`)}`,
			...["--network-down", "3-14"],
		);
		const peer = await server.peer();
		await expect.poll(() => peer.heard.length).toBeGreaterThan(0);
		await rig.says("at 3500");
		await sleep(100);
		const heardBytes = peer.heard.length;
		await rig.says("at 5500");
		expect(peer.heard).toHaveLength(heardBytes);
		await expect.poll(() => peer.heard.length, { timeout: 15_000 }).toBeGreaterThan(heardBytes);
		expect(rig.serial).not.toContain("over");
	});
});
