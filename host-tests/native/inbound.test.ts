// FotaSockets on XS, under AddressSanitizer, against peers that behave: who is let in, what moves, what is refused.
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { Cue, ECHO, SocketsRig } from "./sockets-rig.js";

describe("the port", () => {
	it.each([["in real time"], ["in virtual time", "--fast"], ["on a modelled link", "--link-rtt", "50"]])(
		"takes connections and answers on them, %s",
		async (_title, ...options) => {
			const rig = new SocketsRig(ECHO, ...options);
			for (const text of ["one", "two"]) {
				const peer = await rig.dial();
				peer.socket.write(text);
				await peer.hears(text);
				peer.socket.end();
				await peer.becomes("ended");
			}
			await rig.says("came 1\ngone 1\ncame 2\ngone 2\n");
		},
	);

	it("is found at the same place after a reset", async () => {
		const rig = new SocketsRig(`${ECHO} Timer.set(() => { throw new Error("reset"); }, 800);`);
		const first = await rig.port();
		await expect.poll(() => rig.serial.match(/sim: tcp 3232/g)?.length).toBeGreaterThan(1);
		const places = [...rig.serial.matchAll(/127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]));
		expect(new Set(places)).toEqual(new Set([first]));
	});

	it("that is taken is refused, again and again without losing a descriptor, and opens when it is free", async () => {
		const taken = createServer().listen(0, "127.0.0.1");
		await new Promise((resolve) => taken.once("listening", resolve));
		const { port } = taken.address() as { port: number };
		const rig = new SocketsRig(
			`for (let count = 0; count < 20; count++) say("listen", outcome(() => sockets.listen(3232)));
			const timer = Timer.repeat(() => { if (outcome(() => sockets.listen(3232)) === undefined) { say("open"); Timer.clear(timer); } }, 50);`,
			"--listen",
			`3232=${port}`,
		);
		await rig.says(/(listen Error: cannot listen, errno \d+\n){20}/);
		await new Promise((resolve) => taken.close(resolve));
		await rig.says("open");
		expect(await rig.port()).toBe(port);
	});

	it("that is opened again closes whoever was there, and their handles", async () => {
		const rig = new SocketsRig(
			`sockets.listen(3232); const timer = Timer.repeat(() => { const handle = sockets.accept(); if (handle < 0) return;
			Timer.clear(timer); new FotaSockets().listen(3232); say("read", sockets.read(handle, buffer, 0, 1)); }, 20);`,
		);
		const peer = await rig.dial();
		await peer.becomes("ended");
		await rig.says("read -1");
		expect(rig.serial.match(/sim: tcp 3232/g)).toHaveLength(2);
	});

	it("cannot be opened before there is an interface: the network stack would abort", async () => {
		const rig = new SocketsRig(`say(outcome(() => sockets.listen(3232)));`, "--wifi", "workshop");
		await rig.says("Error: no network");
	});

	it("takes three at a time; the others wait, and come when one has gone", async () => {
		const rig = new SocketsRig(
			`sockets.listen(3232); const open = []; Timer.repeat(() => { const handle = sockets.accept();
			if (handle > 0) { open.push(handle); say("came", open.length); }
			if (open.length === 3 && sockets.read(open[0], buffer, 0, 9) > 0) { say("full", sockets.accept()); sockets.close(open.shift()); } }, 20);`,
		);
		const peers = await Promise.all([rig.dial(), rig.dial(), rig.dial()]);
		const late = [await rig.dial(), await rig.dial(), await rig.dial(), await rig.dial()];
		await rig.says("came 3");
		for (const peer of [...peers, ...late]) peer.socket.write("go");
		for (let count = 0; count < 4; count++) await rig.says(new RegExp(`(full -1\\ncame 3\\n){${count + 1}}`));
	});

	it("and everybody on it is gone after stop(), which may come twice", async () => {
		const rig = new SocketsRig(
			`sockets.stop(); sockets.listen(3232); Timer.repeat(() => { const handle = sockets.accept(); if (handle < 0) return;
			sockets.stop(); sockets.stop(); say("stopped", sockets.accept(), sockets.read(handle, buffer, 0, 1), sockets.write(handle, buffer, 0, 1));
			sockets.close(handle); }, 20);`,
		);
		const peer = await rig.dial();
		await rig.says("stopped -1 -1 -1");
		await peer.becomes("ended");
		await expect(rig.dial()).rejects.toThrow("ECONNREFUSED");
	});
});

describe("a handle", () => {
	it("that is none, or lies outside the buffer, is refused before lwip sees it", async () => {
		const rig = new SocketsRig(
			`sockets.listen(3232);
			for (const wrong of [0, -1, 1.5, NaN, Infinity, 2147483648, 4294967297, "x", undefined, null, {}]) {
				say("handle", outcome(() => sockets.read(wrong, buffer, 0, 1)), outcome(() => sockets.write(wrong, buffer, 0, 1)), outcome(() => sockets.close(wrong))); }
			for (const [offset, count] of [[2048, 1], [0, 2049], [4294967295, 2], [-1, 1], [0.5, 1], [0, NaN]])
				say("bytes", outcome(() => sockets.read(1, buffer, offset, count)), outcome(() => sockets.write(1, buffer, offset, count)));
			say("port", outcome(() => sockets.listen(0)), outcome(() => sockets.listen(65536)), outcome(() => sockets.listen(80.5)));
			say("less", outcome(() => native("xs_fota_sockets_read").call(sockets, 1, buffer)), outcome(() => sockets.read(1, "text", 0, 1)));
			say("foreign", sockets.read(1, buffer, 0, 1), sockets.write(2147483647, buffer, 2048, 0), sockets.accept());`,
		);
		await rig.says("foreign -1 -1 -1");
		const range = "RangeError: not in range";
		expect(rig.serial.split(`handle ${range} ${range} ${range}\n`)).toHaveLength(12);
		expect(rig.serial.match(/bytes RangeError: [a-z ]+ RangeError: /g)).toHaveLength(6);
		expect(rig.serial).toContain(`port ${range} ${range} ${range}\n`);
		expect(rig.serial).toMatch(/less TypeError: missing argument TypeError: /);
	});

	it("names nothing once it is closed, though its place is given to another", async () => {
		const rig = new SocketsRig(
			`sockets.listen(3232); let old = 0; Timer.repeat(() => { const handle = sockets.accept(); if (handle < 0) return;
			if (old > 0) { sockets.write(handle, Uint8Array.of(104, 105), 0, 2);
				say("stale", sockets.read(old, buffer, 0, 9), sockets.write(old, buffer, 0, 9), handle !== old); sockets.close(old); }
			else sockets.close(handle);
			old = handle; }, 20);`,
		);
		await (await rig.dial()).becomes("ended");
		const second = await rig.dial();
		await rig.says("stale -1 -1 true");
		await second.hears("hi");
		expect(second.state).toBe("open");
	});

	it("gives no bytes, and no end, where none are asked for", async () => {
		const cue = await Cue.open();
		const rig = new SocketsRig(
			`${cue.lines} sockets.listen(3232); onCue(() => { const one = sockets.accept();
			say("none", sockets.read(one, buffer, 0, 0), sockets.read(one, new Uint8Array(0), 0, 0), sockets.write(one, buffer, 2048, 0));
			say("then", text(sockets.read(one, buffer, 0, 3)), sockets.read(one, buffer, 0, 3), sockets.read(one, buffer, 0, 0)); });`,
		);
		const peer = await rig.dial();
		await peer.writes("abc");
		await cue.give();
		await rig.says("none 0 0 0\nthen abc 0 0");
	});
});

describe("bytes", () => {
	it("are read to where they are wanted, as many as are there, and no more than asked for", async () => {
		const cue = await Cue.open();
		const rig = new SocketsRig(
			`${cue.lines} sockets.listen(3232); onCue(() => { const one = sockets.accept(); say("read", sockets.read(one, buffer, 100, 4), sockets.read(one, buffer, 104, 900), sockets.read(one, buffer, 0, 900));
			say(String.fromCharCode(...buffer.subarray(100, 110)), buffer[99], buffer[110]); });`,
		);
		const peer = await rig.dial();
		await peer.writes("0123456789");
		await cue.give();
		await rig.says("read 4 6 0\n0123456789 0 0\n");
	});

	it("that nobody takes are sent in part, then not at all, and go on when there is room", async () => {
		const rig = new SocketsRig(
			`sockets.listen(3232); const block = new Uint8Array(4096).fill(120); let one = 0, sent = 0;
			Timer.repeat(() => { one ||= Math.max(0, sockets.accept()); if (!one || sent >= 300000) return;
			for (let took = 1; took > 0; sent += took) { took = sockets.write(one, block, 0, 4096); if (took !== 4096) say("took", took); }
			if (sent >= 300000) { say("sent", sent); sockets.close(one); } }, 20);`,
		);
		const peer = await rig.dial();
		await peer.becomes("ended");
		await rig.says(/took 1648\ntook 0\n[\s\S]*sent \d+/);
		expect(peer.heard).toHaveLength(Number(/sent (\d+)/.exec(rig.serial)?.[1]));
	});

	it("that are not read leave the sender waiting", async () => {
		const rig = new SocketsRig(`sockets.listen(3232); Timer.repeat(() => { sockets.accept(); }, 20);`);
		const peer = await rig.dial();
		for (let piece = 0; piece < 300; piece++) peer.socket.write(Buffer.alloc(65_536));
		await new Promise((resolve) => setTimeout(resolve, 500));
		expect(peer.socket.writableLength).toBeGreaterThan(0);
	});
});
