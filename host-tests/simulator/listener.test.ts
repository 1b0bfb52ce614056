// The simulated device's listener against clients of this process: taking over, back-pressure, outages, closing, a reset.
import { type ChildProcess, spawn } from "node:child_process";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Device, SIMULATOR } from "./device.js";

const HEAD = `import TCP from "embedded:io/socket/tcp"; import Listener from "embedded:io/socket/listener"; import Timer from "timer";
	const say = (...x) => trace(x.join(" ") + "\\n");`;
/** Says what it reads back to everybody. */
const ECHO = `${HEAD} new Listener({ port: 3232, onReadable(count) { while (count--) { const from = this.read();
	new TCP({ from, onReadable() { this.write(this.read()); }, onWritable() { say("writable"); }, onError() { say("gone"); this.close(); } }); } } });`;

let device: Device | undefined;
let child: ChildProcess | undefined;
const sockets: Socket[] = [];
let serial = "";

afterEach(async () => {
	for (const socket of sockets.splice(0)) socket.destroy();
	if (child?.exitCode === null) {
		child.kill("SIGTERM");
		await new Promise((resolve) => child?.once("close", resolve));
	}
	device?.close();
	serial = "";
});

function start(main: string, ...options: readonly string[]): void {
	device = new Device({ main });
	child = spawn(SIMULATOR, ["run", "--flash", device.flash, "--max-wall-seconds", "60", ...options]);
	child.stdout?.on("data", (piece: Buffer) => (serial += piece.toString()));
	child.stderr?.on("data", (piece: Buffer) => (serial += piece.toString()));
}

async function port(): Promise<number> {
	await expect.poll(() => serial, { timeout: 20_000 }).toMatch(/sim: tcp 3232 is 127\.0\.0\.1:\d+\n/);
	return Number(/sim: tcp 3232 is 127\.0\.0\.1:(\d+)/.exec(serial)?.[1]);
}

async function dial(): Promise<Socket> {
	const socket = connect(await port(), "127.0.0.1");
	sockets.push(socket);
	socket.on("error", () => {});
	await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
	return socket;
}

function answer(socket: Socket): Promise<string> {
	return new Promise((resolve) => socket.once("data", (piece) => resolve(piece.toString())));
}

describe("a listener", () => {
	it.each([["in real time"], ["in virtual time", "--fast"], ["on a modelled link", "--link-rtt", "50"]])(
		"takes connections and answers on them, %s",
		async (_title, ...options) => {
			start(`${ECHO} Timer.repeat(() => {}, 1000);`, ...options);
			for (const text of ["one", "two"]) {
				const socket = await dial();
				socket.write(text);
				expect(await answer(socket)).toBe(text);
				socket.destroy();
			}
			await expect.poll(() => serial.match(/gone/g)?.length).toBe(2);
		},
	);

	it("is found at the port that --listen says", async () => {
		const probe = createServer().listen(0, "127.0.0.1");
		await new Promise((resolve) => probe.once("listening", resolve));
		const { port: chosen } = probe.address() as AddressInfo;
		await new Promise((resolve) => probe.close(resolve));
		start(ECHO, "--listen", `3232=${chosen}`);
		expect(await port()).toBe(chosen);
	});

	it("is found at the same port after a reset", async () => {
		start(`${ECHO} Timer.set(() => { throw new Error("reset"); }, 800);`);
		const first = await port();
		await expect.poll(() => serial.match(/sim: tcp 3232/g)?.length, { timeout: 10_000 }).toBeGreaterThan(1);
		expect([...serial.matchAll(/127\.0\.0\.1:(\d+)/g)].every((match) => Number(match[1]) === first)).toBe(
			true,
		);
	});

	it("gives out what nobody wants, to be closed, and refuses a socket that was reset", async () => {
		start(`${HEAD} let turn = 0; new Listener({ port: 3232, onReadable(count) { while (count--) { const from = this.read();
			if (turn++ === 0) { from.close(); from.close(); say("closed"); return; }
			Timer.set(() => { try { new TCP({ from }); } catch (e) { say("refused:", e.message); from.close(); } }, 300); } } });`);
		const socket = await dial();
		await new Promise((resolve) => socket.once("close", resolve));
		const second = await dial();
		second.resetAndDestroy();
		await expect.poll(() => serial).toContain("refused: invalid from");
		expect(serial).toContain("closed");
	});

	it("leaves the sender waiting while the application does not read", async () => {
		start(
			`${HEAD} new Listener({ port: 3232, onReadable() { new TCP({ from: this.read(), onReadable(count) { say("offered", count); } }); } });`,
		);
		const socket = await dial();
		for (let piece = 0; piece < 300; piece++) socket.write(Buffer.alloc(65_536));
		await new Promise((resolve) => setTimeout(resolve, 500));
		const offered = [...serial.matchAll(/offered (\d+)/g)].map((match) => Number(match[1]));
		expect(Math.max(...offered)).toBeLessThanOrEqual(5744);
		expect(socket.writableLength).toBeGreaterThan(0);
	});

	it("cannot be opened without a network, nor out of range, and closes for good", async () => {
		start(
			`${HEAD} try { new Listener({ port: 3232 }); } catch (e) { say("early:", e.message); }
			try { new Listener({ port: 70000 }); } catch (e) { say("range:", e.message); }
			Timer.set(() => { const it = new Listener({ port: 3232 }); say("at", it.port, it.format); it.close(); it.close();
				try { it.read(); } catch (e) { say("closed:", e.message); } }, 700);`,
			"--network-down",
			"0-0.5",
		);
		await expect.poll(() => serial, { timeout: 10_000 }).toContain("closed:");
		expect(serial).toContain("early: no network");
		expect(serial).toContain("at 3232 socket/tcp");
		await expect(dial()).rejects.toThrow("ECONNREFUSED");
	});
});
