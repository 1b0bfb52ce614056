// The simulated device's TCP against servers of this process: data, back-pressure, errors, outages, modelled time.

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { runModules } from "./device.js";

let server: Server | undefined;
const sockets = new Set<Socket>();

afterEach(() => {
	for (const socket of sockets) socket.destroy();
	sockets.clear();
	server?.close();
});

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
	server = createServer((socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		onSocket(socket);
	});
	await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}

const HEAD = `import TCP from "embedded:io/socket/tcp"; import Timer from "timer"; import Time from "time";
	const say = (...x) => trace(x.join(" ") + "\\n"); const address = "127.0.0.1";`;

describe("TCP", () => {
	it("connects, writes, reads into a buffer, closes, and the callbacks see their object", async () => {
		const port = await listen((socket) => socket.on("data", (data) => socket.end(`echo ${data}`)));
		const run = await runModules(
			{
				main: `${HEAD}
				const target = {};
				const socket = new TCP({ address, port: ${port}, target,
					onWritable(count) { say("writable", count >= 536, this === socket, this.target === target);
						if (this.sent) return; this.sent = true;
						say("room", this.write(ArrayBuffer.fromString("hello")) > 0); },
					onReadable(count) { const bytes = new Uint8Array(count); say("read", this.read(bytes), String.fromArrayBuffer(bytes.buffer), this.read()); },
					onError() { say("error"); this.close(); this.close(); Timer.set(() => say("end"), 10); } });
				try { socket.write(new ArrayBuffer(1)); } catch (e) { say("early:", e.message); }
				try { new TCP({ address: "nowhere", port: 1 }); } catch (e) { say("address:", e.message); }
				try { new TCP({ address, port: 70000 }); } catch (e) { say("port:", e.message); }`,
			},
			"--until",
			"end",
		);
		expect(run.code, run.serial + run.said).toBe(0);
		const lines = new Set(run.serial.split("\n"));
		for (const line of [
			"early: not ready",
			"address: invalid address",
			"port: invalid port",
			"writable true true true",
			"room true",
			"read 10 echo hello ",
			"error",
		])
			expect(lines, run.serial).toContain(line);
		expect(run.stats.network).toMatchObject({ connects: 1, txBytes: 5, rxBytes: 10 });
	});

	it("takes no more from the network than the window while the application does not read", async () => {
		let accepted = 0;
		const port = await listen((socket) => {
			const chunk = Buffer.alloc(65536, 7);
			const push = () => {
				while (socket.writable && socket.write(chunk, () => (accepted += chunk.length)));
				socket.once("drain", push);
			};
			push();
		});
		const run = await runModules(
			{
				main: `${HEAD}
				let total = 0, isReading = false;
				const socket = new TCP({ address, port: ${port}, onReadable(count) {
					if (!total && !isReading) Timer.set(begin, 300);
					total ||= 1;
					if (!isReading) { say("offered", count); return; }
					total += this.read().byteLength; if (total > 1000000) { this.close(); say("end"); } } });
				const begin = () => { isReading = true; try { socket.read(100000); } catch (e) { say("too much:", e.message); } socket.read(); };`,
			},
			"--until",
			"end",
		);
		expect(run.code, run.serial + run.said).toBe(0);
		const offered = [...run.serial.matchAll(/offered (\d+)/g)].map((match) => Number(match[1]));
		expect(Math.max(...offered)).toBeLessThanOrEqual(5744);
		expect(run.serial).toContain("too much: invalid");
		expect(run.stats.network.heldPeakBytes).toBeLessThanOrEqual(5744);
		expect(accepted).toBeGreaterThan(0);
	});

	it("reports a refused connection as error, from the event loop", async () => {
		const port = await listen(() => {});
		server?.close();
		const run = await runModules(
			{
				main: `${HEAD} new TCP({ address, port: ${port}, onError() { say("error", x); } }); const x = "later";`,
			},
			"--until",
			"error later",
		);
		expect(run.code, run.serial + run.said).toBe(0);
	});

	it("aborts the application when a callback throws", async () => {
		const port = await listen(() => {});
		const run = await runModules(
			{
				main: `${HEAD} new TCP({ address, port: ${port}, onWritable() { throw new Error("in callback"); } });`,
			},
			"--boots",
			"1",
		);
		expect(run.serial).toContain("in callback");
		expect(run.stats.resets[0].reason).toBe("SW");
	});

	it.each(["stall", "reset"])("loses the network for a time: %s", async (loss) => {
		const port = await listen((socket) => {
			const timer = setInterval(() => socket.write("x"), 20);
			socket.on("close", () => clearInterval(timer));
		});
		const run = await runModules(
			{
				main: `${HEAD} let last = 0;
				const open = () => new TCP({ address, port: ${port},
					onReadable() { this.read(); last = Time.ticks; if (last >= 900) say("alive", true); }, onError() { say("lost", Time.ticks); this.close(); } });
				open();
				Timer.set(() => { try { open(); } catch (e) { say("open:", e.message); } say("silent since", last <= 300); }, 600);
				Timer.set(() => { say("alive", false); }, 60000);`,
			},
			"--fast",
			"--network-down",
			"0.3-0.9",
			"--network-loss",
			loss,
			"--until",
			"alive",
		);
		expect(run.serial).toContain("open: no network");
		expect(run.serial).toContain("silent since true");
		expect(run.serial.includes("lost 300")).toBe(loss === "reset");
		expect(run.serial).toContain(`alive ${loss === "stall"}`);
	});

	it("delivers bytes at the modelled time of the link", async () => {
		const bytes = 200_000;
		const port = await listen((socket) => socket.on("data", () => socket.write(Buffer.alloc(bytes))));
		const main = `${HEAD} let total = 0, begin = 0;
			new TCP({ address, port: ${port}, onWritable() { if (begin) return; say("connected", Time.ticks); begin = Time.ticks; this.write(new ArrayBuffer(10)); },
				onReadable(count) { if (!total) say("first", Time.ticks - begin); total += this.read().byteLength;
					if (total === ${bytes}) { say("took", Time.ticks - begin); this.close(); } } });`;
		const fast = await runModules({ main }, "--link-rate", "100000", "--link-rtt", "50", "--until", "took");
		expect(fast.serial).toContain("connected 50\n");
		expect(Number(/first (\d+)/.exec(fast.serial)?.[1])).toBeLessThan(70);
		const took = Number(/took (\d+)/.exec(fast.serial)?.[1]);
		expect(took).toBeGreaterThanOrEqual(2049);
		expect(took).toBeLessThan(2350);
		const narrow = await runModules(
			{ main },
			"--link-rate",
			"100000",
			"--link-rtt",
			"50",
			"--tcp-window",
			"1460",
			"--until",
			"took",
		);
		// One window a round trip: 137 of them.
		expect(Number(/took (\d+)/.exec(narrow.serial)?.[1])).toBeGreaterThan(6500);
	});

	it("does not let virtual time overtake a slow server", async () => {
		const port = await listen((socket) =>
			socket.on("data", () => setTimeout(() => socket.write("answer"), 200)),
		);
		const run = await runModules(
			{
				main: `${HEAD} new TCP({ address, port: ${port}, onWritable() { if (this.sent) return; this.sent = true; this.write(new ArrayBuffer(1)); },
					onReadable() { say("answered", Time.ticks); } });
					Timer.set(() => say("timed out"), 10000);`,
			},
			"--link-rate",
			"100000",
			"--link-rtt",
			"50",
			"--until",
			"answered",
			"--until",
			"timed out",
		);
		expect(run.serial).toContain("answered 100\n");
	});
});
