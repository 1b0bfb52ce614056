// FotaSockets on XS, under AddressSanitizer, against peers that do not behave, and a network that goes: nothing may be
// touched that is gone, no descriptor lost, and the next peer is served.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Cue, ECHO, SocketsRig } from "./sockets-rig.js";

/** Takes one, reads what it says, and then each 20 ms does with it what is given here; `one` is its handle. */
const withOne = (act: string) => `sockets.listen(3232); let one = 0;
	const timer = Timer.repeat(() => { one ||= Math.max(0, sockets.accept()); if (one) { ${act} } }, 20);`;

async function isServed(rig: SocketsRig): Promise<void> {
	const peer = await rig.dial();
	peer.socket.write("still there?");
	await peer.hears("still there?");
	peer.socket.end();
	await peer.becomes("ended");
}

describe("a peer that resets its connection", () => {
	it("before it is taken, many times, costs nothing", async () => {
		const rig = new SocketsRig(`Timer.set(() => {}, 1); ${ECHO}`);
		// More than there are descriptors, places and waiting ones together.
		for (let round = 0; round < 5; round++) {
			const peers = await Promise.all(Array.from({ length: 10 }, () => rig.dial()));
			for (const peer of peers) peer.socket.resetAndDestroy();
			await sleep(30);
		}
		await isServed(rig);
		await expect.poll(() => rig.serial.match(/gone/g)?.length).toBe(rig.serial.match(/came/g)?.length);
	});

	it("while nobody looks is taken for what it is: over", async () => {
		const cue = await Cue.open();
		const rig = new SocketsRig(
			`${cue.lines} sockets.listen(3232); onCue(() => { const handle = sockets.accept();
			say("late", handle > 0, sockets.read(handle, buffer, 0, 9), sockets.read(handle, buffer, 0, 9), sockets.write(handle, buffer, 0, 9));
			sockets.close(handle); Timer.repeat(() => { const next = sockets.accept(); if (next > 0) say("next"); }, 20); });`,
		);
		const { socket } = await rig.dial();
		socket.resetAndDestroy();
		await once(socket, "close");
		await cue.give();
		await rig.says("late true -1 -1 -1");
		await rig.dial();
		await rig.says("next");
	});

	it("after it was taken and before it was read is over at the first read", async () => {
		const rig = new SocketsRig(
			withOne(`if (buffer[0] === 0) { buffer[0] = 1; say("taken"); }
			const count = sockets.read(one, buffer, 1, 9); if (count) { say("read", count); sockets.close(one); Timer.clear(timer); }`),
		);
		const peer = await rig.dial();
		await rig.says("taken");
		peer.socket.resetAndDestroy();
		await rig.says("read -1");
	});

	it("in the middle of what it says is over behind what had come", async () => {
		const rig = new SocketsRig(
			withOne(`const count = sockets.read(one, buffer, 0, 4);
			if (count) say(count > 0 ? text(count) : "over"); if (count < 0) { sockets.close(one); Timer.clear(timer); }`),
		);
		const peer = await rig.dial();
		peer.socket.write("one,two,");
		await rig.says("two,");
		peer.socket.write("three");
		peer.socket.resetAndDestroy();
		await rig.says("over");
	});

	it("after it had ended it is still only one end, and writing says so too", async () => {
		const rig = new SocketsRig(
			withOne(`const count = sockets.read(one, buffer, 0, 9); const sent = sockets.write(one, buffer, 0, 1);
			if (count < 0) say("end", sent < 0 ? "and no way out" : "one way");
			if (sent < 0) { say("read", sockets.read(one, buffer, 0, 9)); sockets.close(one); Timer.clear(timer); }`),
		);
		const peer = await rig.dial();
		peer.socket.end();
		await rig.says("end one way");
		peer.socket.resetAndDestroy();
		await rig.says(/end and no way out\nread -1/);
	});
});

describe("a peer that goes", () => {
	it("half, having said all, has ended at the first read behind that, and is still answered", async () => {
		const cue = await Cue.open();
		const rig = new SocketsRig(
			`${cue.lines} sockets.listen(3232); onCue(() => { const one = sockets.accept();
			say("read", sockets.read(one, buffer, 0, 99), sockets.read(one, buffer, 0, 99));
			sockets.write(one, Uint8Array.of(98, 121, 101), 0, 3); sockets.close(one); });`,
		);
		const peer = await rig.dial();
		peer.socket.end("question");
		await once(peer.socket, "finish");
		await cue.give();
		await rig.says("read 8 -1");
		await peer.hears("bye");
		await peer.becomes("ended");
	});

	it("while it is written to is noticed there", async () => {
		const rig = new SocketsRig(
			withOne(
				`const sent = sockets.write(one, buffer, 0, 100); if (sent < 0) { say("write", sent); sockets.close(one); one = -1; Timer.clear(timer); }`,
			),
		);
		const peer = await rig.dial();
		await expect.poll(() => peer.heard.length).toBeGreaterThan(0);
		peer.socket.resetAndDestroy();
		await rig.says("write -1");
	});

	it("unread is told by a reset that not all of it was taken", async () => {
		const rig = new SocketsRig(
			withOne(`if (sockets.read(one, buffer, 0, 1) === 1) { sockets.close(one); Timer.clear(timer); }`),
		);
		const peer = await rig.dial();
		peer.socket.write("more than one");
		await peer.becomes("reset");
	});
});

// Several times, so that one time is behind whatever was to happen before, however slow the machine is.
const HOLES = ["3-4", "12-13", "36-37", "90-91"].flatMap((hole) => ["--network-down", hole]);

describe("a network that goes", () => {
	it("and resets takes the connections and leaves the port", async () => {
		const rig = new SocketsRig(ECHO, ...HOLES, "--network-loss", "reset");
		const peer = await rig.dial();
		peer.socket.write("a");
		await peer.hears("a");
		await peer.becomes("reset");
		await rig.says("gone 1");
		await isServed(rig);
		expect(rig.serial.match(/sim: tcp 3232/g)).toHaveLength(1);
	});

	it("and comes back leaves both", async () => {
		// The device looks whether the network is there each time before it reads.
		const watched = ECHO.replace(
			"Timer.repeat(() => {",
			`import Net from "net"; let wasUp = true; Timer.repeat(() => { const isUp = Net.get("IP") !== undefined;
			if (isUp !== wasUp) say(isUp ? "up" : "down"); wasUp = isUp;`,
		).replace("if (count > 0)", 'if (count > 0) say("read"); if (count > 0)');
		const rig = new SocketsRig(watched, "--network-down", "3-8");
		const peer = await rig.dial();
		await rig.says("came 1");
		await rig.says("down\n");
		peer.socket.write("through");
		await peer.hears("through");
		expect(rig.serial).toMatch(/down\nup\nread\n/);
		expect(rig.serial).not.toContain("gone");
	});
});
