// --capture: what the application wrote and read, and nothing else, over connections, boots and power cuts.

import { readFileSync, statSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type CapturedConnection, parseWireCapture } from "../../cli/simulator/wire-capture.js";
import { Device, type DeviceRun } from "./device.js";
import { modulesWithSockets } from "./polled-connection.js";

const HEAD = `import Net from "net"; import keyValue from "embedded:storage/key-value";`;

let server: Server | undefined;
let device: Device | undefined;
const sockets = new Set<Socket>();

afterEach(() => {
	for (const socket of sockets) socket.destroy();
	sockets.clear();
	server?.close();
	device?.close();
});

async function listen(onData: (socket: Socket, data: Buffer) => void): Promise<number> {
	server = createServer((socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("data", (data) => onData(socket, data));
	});
	await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}

interface CapturedRun extends DeviceRun {
	readonly connections: readonly CapturedConnection[];
}

async function capture(main: string, ...options: readonly string[]): Promise<CapturedRun> {
	device = new Device(modulesWithSockets(HEAD + main));
	const path = join(device.folder, "talk");
	const run = await device.run("--capture", path, ...options);
	return { ...run, connections: parseWireCapture(readFileSync(path)) };
}

/** As `>request`, `<answer`, in order. */
function talk(connection: CapturedConnection | undefined): string[] {
	return (connection?.pieces ?? []).map(
		({ direction, bytes }) => `${direction === "sent" ? ">" : "<"}${Buffer.from(bytes).toString("latin1")}`,
	);
}

describe("a capture", () => {
	it("holds what was written and read of each connection, not what only arrived", async () => {
		const port = await listen((socket, data) => socket.write(`0123456789 to ${data}`));
		const run = await capture(
			`const talk = (name, then) => open(${port}, { says: name,
				readable() { if (this.read(4)) { this.read(2); this.close(); then(); } } });
			talk("one", () => talk("two", () => say("end")));`,
			"--until",
			"end",
		);
		expect(run.code, run.serial + run.said).toBe(0);
		expect(run.connections.map(talk)).toEqual([
			[">one", "<0123", "<45"],
			[">two", "<0123", "<45"],
		]);
		expect(run.connections.map(({ isClosed }) => isClosed)).toEqual([true, true]);
		expect(run.stats.network.rxBytes).toBe(34);
	});

	it("keeps what was read before a power cut, and counts connections on over the boots", async () => {
		const port = await listen((socket) => socket.write("answer"));
		const run = await capture(
			`open(${port}, { says: "ask",
				readable() { if (!this.read(3)) return; const store = keyValue.open({ path: "test", format: "string" });
					for (let i = 0; i < 30; i++) store.write("value", String(i));
					this.read(99); say("end"); } });`,
			"--cut",
			"25:half",
			"--until",
			"end",
		);
		expect(run.code, run.serial + run.said).toBe(0);
		expect(run.stats.resets).toMatchObject([{ reason: "POWERON" }]);
		expect(run.connections.map(talk)).toEqual([
			[">ask", "<ans"],
			[">ask", "<ans", "<wer"],
		]);
		expect(run.connections.map(({ isClosed }) => isClosed)).toEqual([false, false]);
	});

	it("knows a connection that was refused, and what was sent into an outage", async () => {
		const port = await listen(() => {});
		const run = await capture(
			`let refused = 0; const wait = open(${port}, { says: "ask" }); open(1, { over() { refused = 1; } });
			Timer.repeat((timer) => { if (Net.get("IP")) return;
				Timer.clear(timer); wait.write("lost"); say("end", refused); }, 50);`,
			"--fast",
			"--network-down",
			"2-",
			"--until",
			"end",
		);
		expect(run.serial, run.said).toContain("end 1");
		expect(run.connections.map(talk)).toEqual([[">ask", ">lost"], []]);
		expect(run.connections.map(({ isClosed }) => isClosed)).toEqual([false, true]);
	});

	it("begins anew with each run", async () => {
		const port = await listen(() => {});
		const main = `open(${port}, { stands() { say("end"); } });`;
		const first = await capture(main, "--until", "end");
		expect(first.connections).toHaveLength(1);
		const path = join(device?.folder ?? "", "talk");
		const bytes = statSync(path).size;
		await device?.run("--capture", path, "--until", "end");
		expect(statSync(path).size).toBe(bytes);
	});

	it("that cannot be written ends the run, and says why", async () => {
		const port = await listen(() => {});
		device = new Device(modulesWithSockets(`open(${port}, { stands() { say("end"); } });`));
		const full = await device.run("--capture", "/dev/full", "--until", "end");
		expect(full).toMatchObject({ code: 70, stats: { end: "internal", exitCode: 70 } });
		expect(full.said).toContain("--capture: No space left on device");
		const nowhere = await device.run("--capture", join(device.folder, "no", "where"), "--until", "end");
		expect(nowhere.code).toBe(1);
		expect(nowhere.said).toMatch(/--capture .*: No such file or directory/);
	});
});
