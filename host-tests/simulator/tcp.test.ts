// The simulated device's TCP against servers of this process: data, back-pressure, errors, outages, modelled time.

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { runModules } from "./device.js";
import { modulesWithSockets } from "./polled-connection.js";

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

describe("TCP", () => {
	it("counts connections and bytes, both ways", async () => {
		const port = await listen((socket) => socket.on("data", (data) => socket.end(`echo ${data}`)));
		const main = `open(${port}, { readable() { const heard = this.read(99); if (heard) say("heard", heard); },
			over() { say("end"); } });`;
		const run = await runModules(modulesWithSockets(main), "--until", "end");
		expect(run.code, run.serial + run.said).toBe(0);
		expect(run.serial).toContain("heard echo .\n");
		expect(run.stats.network).toMatchObject({ connects: 1, txBytes: 1, rxBytes: 6 });
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
		const main = `let total = 0, isReading = false; Timer.set(() => { isReading = true; }, 500);
			open(${port}, { readable() { if (!isReading) return; total += this.read(1000).length;
				if (total > 100000) { this.close(); say("end"); } } });`;
		const run = await runModules(modulesWithSockets(main), "--until", "end");
		expect(run.code, run.serial + run.said).toBe(0);
		expect(run.stats.network.heldPeakBytes).toBe(5744);
		expect(run.stats.network.rxBytes).toBeLessThan(100_000 + 2 * 5744);
		expect(accepted).toBeGreaterThan(0);
	});

	it.each(["stall", "reset"])("loses the network for a time: %s", async (loss) => {
		const port = await listen((socket) => {
			const timer = setInterval(() => socket.write("x"), 20);
			socket.on("close", () => clearInterval(timer));
		});
		const main = `let last = 0;
			open(${port}, { readable() { if (this.read(99)) last = Time.ticks; if (last >= 900) say("alive", true); },
				over() { say("lost", Time.ticks); } });
			Timer.set(() => { say("open:", sockets.connect("127.0.0.1", ${port}) < 0); say("silent since", last <= 301); }, 600);
			Timer.set(() => { say("alive", false); }, 60000);`;
		const run = await runModules(
			modulesWithSockets(main),
			...["--fast", "--network-down", "0.3-0.9", "--network-loss", loss, "--until", "alive"],
		);
		expect(run.serial).toContain("open: true");
		expect(run.serial).toContain("silent since true");
		expect(/lost 30[01]\n/.test(run.serial)).toBe(loss === "reset");
		expect(run.serial).toContain(`alive ${loss === "stall"}`);
	});

	it("delivers bytes at the modelled time of the link", async () => {
		const bytes = 200_000;
		const port = await listen((socket) => socket.on("data", () => socket.write(Buffer.alloc(bytes))));
		const main = `let total = 0, begin = 0;
			open(${port}, { stands() { begin = Time.ticks; say("connected", begin); },
				readable() { for (let count = 1; count > 0; total += count) { count = this.read(1000).length;
					if (count && !total) say("first", Time.ticks - begin); }
				if (total === ${bytes}) { say("took", Time.ticks - begin); this.close(); } } });`;
		const link = ["--link-rate", "100000", "--link-rtt", "50"];
		const fast = await runModules(modulesWithSockets(main), ...link, "--until", "took");
		expect(fast.serial).toMatch(/connected 5[01]\n/);
		expect(Number(/first (\d+)/.exec(fast.serial)?.[1])).toBeLessThan(70);
		const took = Number(/took (\d+)/.exec(fast.serial)?.[1]);
		expect(took).toBeGreaterThanOrEqual(2049);
		expect(took).toBeLessThan(2350);
		const narrow = await runModules(
			modulesWithSockets(main),
			...[...link, "--tcp-window", "1460", "--until", "took"],
		);
		// One window a round trip: 137 of them.
		expect(Number(/took (\d+)/.exec(narrow.serial)?.[1])).toBeGreaterThan(6500);
	});

	it("does not let virtual time overtake a slow server, however soon the application looks again", async () => {
		const port = await listen((socket) =>
			socket.on("data", () => setTimeout(() => socket.write("answer"), 1000)),
		);
		const main = `open(${port}, { readable() { if (this.read(99)) say("answered", Time.ticks); } });
			Timer.set(() => say("timed out"), 10000);`;
		const run = await runModules(
			modulesWithSockets(main),
			...["--link-rate", "100000", "--link-rtt", "50", "--until", "answered", "--until", "timed out"],
		);
		expect(run.serial).toMatch(/answered 10[0-3]\n/);
	});

	it("waits for no server that the application asks nothing of", async () => {
		const port = await listen(() => {});
		const main = `open(${port}, { stands() { this.rest(); } }); Timer.set(() => say("an hour"), 3600000);`;
		const begin = performance.now();
		const run = await runModules(modulesWithSockets(main), "--link-rtt", "50", "--until", "an hour");
		expect(run.code, run.serial + run.said).toBe(0);
		// One that it asks for is waited for five seconds.
		expect(performance.now() - begin).toBeLessThan(5000);
	});
});
