// One connection and how it is looked at: how often, how much at once, what a name and an end lead to, what is left behind.
import { beforeEach, describe, expect, it } from "vitest";
import {
	QUICK_POLL_MS,
	SLOW_POLL_MS,
	TcpConnection,
	type TcpConnectionOptions,
	type TcpHandler,
} from "../../src/adapters/tcp-connection.js";
import { FakeSockets } from "./fake-sockets.js";
import { FakeTimer } from "./fake-timer.js";

const WINDOW_BYTES = 16_384;

class Handler implements TcpHandler {
	readonly events: string[] = [];
	readonly receivedBytes: number[] = [];
	wanted = Infinity;
	turn: (() => void) | undefined;
	data: (() => boolean) | undefined;

	onTurn(): void {
		this.turn?.();
	}
	wantedBytes(): number {
		return this.wanted;
	}
	onData(_buffer: Uint8Array, byteCount: number): boolean {
		this.receivedBytes.push(byteCount);
		return this.data?.() ?? true;
	}
	onDataEnd(): void {
		this.events.push("data end");
	}
	onClosed(): void {
		this.events.push("closed");
	}
	onFault(cause: unknown): void {
		this.events.push(String(cause));
	}
}

let timer: FakeTimer;
let sockets: FakeSockets;
let handler: Handler;
let asked: { readonly name: string; readonly answer: (address: string | undefined) => void }[];
let calledOff: string[];

beforeEach(() => {
	timer = new FakeTimer();
	sockets = new FakeSockets(() => {});
	handler = new Handler();
	asked = [];
	calledOff = [];
});

function open(change: Partial<TcpConnectionOptions> = {}): TcpConnection {
	const resolver = {
		resolve: (name: string, answer: (address: string | undefined) => void) => {
			asked.push({ name, answer });
			return () => void calledOff.push(name);
		},
	};
	return new TcpConnection({
		...{ stack: { sockets, resolver }, timer, handler },
		...{ address: "192.0.2.1", port: 80, receiveBuffer: new Uint8Array(1000) },
		...change,
	});
}

function standing(): TcpConnection {
	const connection = open();
	sockets.last.accept();
	return connection;
}

describe("a connection", () => {
	it("is looked at often while something moves, seldom when nothing has for a while, and often again", () => {
		standing();
		const looksIn = (ms: number) => {
			const before = sockets.readCount;
			timer.advance(ms);
			return sockets.readCount - before;
		};
		expect(looksIn(100)).toBe(100 / QUICK_POLL_MS);
		timer.advance(1000);
		expect(looksIn(1000)).toBe(1000 / SLOW_POLL_MS);
		sockets.last.receive("x");
		timer.advance(SLOW_POLL_MS);
		expect(looksIn(100)).toBe(100 / QUICK_POLL_MS);
	});

	it("whose looks were late is not looked at again for each that was missed", () => {
		standing();
		handler.turn = () => {
			timer.nowMs += 150;
		};
		timer.advance(QUICK_POLL_MS);
		handler.turn = undefined;
		timer.nowMs = QUICK_POLL_MS + 150;
		const before = sockets.readCount;
		timer.advance(3 * QUICK_POLL_MS);
		expect(sockets.readCount - before).toBe(3);
	});

	it("is read to the end of what is there, a window at a time, and then told so", () => {
		standing();
		sockets.last.receive(new Uint8Array(WINDOW_BYTES + 10));
		timer.advance(QUICK_POLL_MS);
		expect(sockets.readPeakBytes).toBe(WINDOW_BYTES);
		expect(handler.events).toEqual([]);
		sockets.endLook();
		timer.advance(QUICK_POLL_MS);
		expect(handler.receivedBytes.reduce((sum, bytes) => sum + bytes)).toBe(WINDOW_BYTES + 10);
		expect(handler.events).toEqual(["data end"]);
	});

	it.each([
		[0, 1],
		[0.3, 1],
		[7.9, 7],
		[-5, 1],
		[Infinity, 1000],
	])("of which %s bytes are wanted is read %s at a time", (wanted, bytes) => {
		standing();
		handler.wanted = wanted;
		sockets.last.receive(new Uint8Array(2000));
		timer.advance(QUICK_POLL_MS);
		expect(handler.receivedBytes[0]).toBe(bytes);
		expect(handler.events).toEqual(["data end"]);
	});

	it("that ends, or is refused, has ended once, behind what had come", () => {
		for (const isAccepted of [true, false]) {
			handler = new Handler();
			open();
			sockets.last.isAccepted = isAccepted;
			if (isAccepted) sockets.last.receive("last words");
			sockets.last.end();
			timer.advance(1000);
			expect(handler.events).toEqual(isAccepted ? ["data end", "closed"] : ["closed"]);
			expect([sockets.openCount, timer.pendingCount]).toEqual([0, 0]);
		}
	});

	it("that cannot be written to any more is not, and is over when what had come is read", () => {
		const connection = standing();
		sockets.isWriteOver = true;
		expect(connection.write(Uint8Array.of(1), 0, 1)).toBe(0);
		sockets.isWriteOver = false;
		expect(connection.write(Uint8Array.of(1), 0, 1)).toBe(0);
		sockets.last.receive("413");
		expect(sockets.last.sent).toBe("");
		timer.advance(QUICK_POLL_MS);
		expect(handler.events).toEqual(["data end", "closed"]);
	});

	it("is written from where it is told, as much as is taken, and nothing before it stands", () => {
		const connection = open();
		const source = Uint8Array.from("0123456789", (character) => character.charCodeAt(0));
		expect(connection.write(source, 2, 5)).toBe(0);
		sockets.last.accept();
		sockets.last.writableBytes = 3;
		expect(connection.write(source, 2, 5)).toBe(3);
		expect(sockets.last.sent).toBe("234");
	});

	it("that cannot begin throws, and leaves nothing behind", () => {
		sockets.isDown = true;
		expect(() => open()).toThrow("cannot connect, errno 118");
		expect([sockets.openCount, timer.pendingCount]).toEqual([0, 0]);
	});

	it("for which no timer can be had throws, and gives its place back", () => {
		timer.repeat = () => {
			throw new Error("add failed");
		};
		expect(() => open()).toThrow("add failed");
		expect(sockets.openCount).toBe(0);
	});

	it("on which something throws is closed, and says so; what is thrown then goes nowhere", () => {
		standing();
		handler.onFault = (cause) => {
			throw cause;
		};
		sockets.fault = new Error("a fault");
		timer.advance(QUICK_POLL_MS);
		expect([sockets.openCount, timer.pendingCount, timer.escaped]).toEqual([0, 0, []]);
	});

	it("calls nobody any more once it is closed, which may come twice, and from inside", () => {
		const connection = standing();
		handler.data = () => {
			connection.close();
			connection.close();
			return true;
		};
		sockets.last.receive(new Uint8Array(3000));
		sockets.last.end();
		timer.advance(1000);
		expect(handler.receivedBytes).toEqual([1000]);
		expect(handler.events).toEqual([]);
		expect([sockets.openCount, timer.pendingCount]).toEqual([0, 0]);
	});
});

describe("a connection that is kept", () => {
	it("is not looked at until it is wanted again, and then is", () => {
		const connection = standing();
		connection.rest();
		connection.rest();
		expect(timer.pendingCount).toBe(0);
		expect(connection.wake()).toBe(true);
		sockets.last.receive("answer");
		timer.advance(QUICK_POLL_MS);
		expect(handler.receivedBytes).toEqual([6]);
	});

	it.each([
		["ended", () => sockets.last.end()],
		["said what nobody asked for", () => sockets.last.receive("408")],
		["been closed here", (connection: TcpConnection) => connection.close()],
	])("and has %s meanwhile is good for nothing, and closed", (_what, happen) => {
		const connection = standing();
		connection.rest();
		happen(connection);
		expect(connection.wake()).toBe(false);
		expect([sockets.openCount, timer.pendingCount, handler.events]).toEqual([0, 0, []]);
	});

	it("may come to rest when it hears that all has come, and is closed if that was its end too", () => {
		const connection = standing();
		handler.onDataEnd = () => connection.rest();
		sockets.last.receive("answer");
		timer.advance(QUICK_POLL_MS);
		expect([sockets.openCount, timer.pendingCount]).toEqual([1, 0]);
		expect(connection.wake()).toBe(true);
		sockets.last.receive("answer");
		sockets.last.end();
		timer.advance(QUICK_POLL_MS);
		expect([sockets.openCount, timer.pendingCount, handler.events]).toEqual([0, 0, ["closed"]]);
	});
});

describe("a connection to a name", () => {
	it("begins when its name is known; until then nothing is written, and nobody looks", () => {
		const connection = open({ address: "a.example" });
		expect(connection.write(Uint8Array.of(1), 0, 1)).toBe(0);
		expect([asked[0]?.name, sockets.peers.length, timer.pendingCount]).toEqual(["a.example", 0, 0]);
		asked[0]?.answer("192.0.2.9");
		expect(sockets.last.options).toMatchObject({ address: "192.0.2.9", port: 80 });
		sockets.last.accept();
		expect(connection.write(Uint8Array.of(65), 0, 1)).toBe(1);
		connection.close();
		expect(calledOff).toEqual([]);
	});

	it("asks nobody for the address of localhost, and of one in digits", () => {
		open({ address: "localhost" });
		expect([asked, sockets.last.options.address]).toEqual([[], "127.0.0.1"]);
	});

	it.each(["nobody knows it", "there is no way to it"])("ends when %s", (what) => {
		open({ address: "a.example" });
		sockets.isDown = what !== "nobody knows it";
		asked[0]?.answer(sockets.isDown ? "192.0.2.1" : undefined);
		expect(handler.events).toEqual(["closed"]);
		expect(timer.pendingCount).toBe(0);
	});

	it("that was closed before its name was known calls the question off", () => {
		const connection = open({ address: "a.example" });
		connection.close();
		connection.close();
		expect(calledOff).toEqual(["a.example"]);
	});

	it("lets nothing that its handler throws out to the resolver", () => {
		open({ address: "a.example" });
		handler.onClosed = () => {
			throw new Error("handler");
		};
		expect(() => asked[0]?.answer(undefined)).not.toThrow();
		expect(handler.events).toEqual(["Error: handler"]);
	});

	it("throws where there is no resolver", () => {
		expect(() => open({ address: "a.example", stack: { sockets } })).toThrow("no resolver");
	});
});
