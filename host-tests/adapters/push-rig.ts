// A push server on a fake network, a fake timer and a fake updater. Used by the tests of the push server.

import { expect } from "vitest";
import { authorize } from "../../cli/device/push-client.js";
import { PushCredential } from "../../src/adapters/push-credential.js";
import { PushExchange } from "../../src/adapters/push-exchange.js";
import { PushPenalty } from "../../src/adapters/push-penalty.js";
import { type ListenerClass, PushServer } from "../../src/adapters/push-server.js";
import type { TakenSocketClass, TakenSocketOptions } from "../../src/adapters/tcp-connection.js";
import type { FotaError } from "../../src/protocol/error-codes.js";
import type { DeviceInformation } from "../../src/protocol/push.js";
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { PushListener, PushOffer, PushTarget } from "../../src/update/ports.js";
import { nodeCrypto } from "../fakes/node-crypto.js";
import { FakeNetwork, FakeTcp } from "./fake-tcp.js";
import { FakeTimer } from "./fake-timer.js";

export const DEVICE_KEY = new Uint8Array(32).fill(7);

const REPORT: StatusReport = {
	state: "REBOOTING",
	bootStatus: "pending_reboot",
	deviceType: "sensor",
	chip: "esp32c3",
	version: "1.0.0",
	slot: "ota_0",
	resetReason: "poweron",
	uptimeSeconds: 1,
	target: { version: "1.1.0", hash: "a".repeat(64) },
};

const INFORMATION: DeviceInformation = {
	deviceId: "board-1",
	deviceType: "sensor",
	chip: "esp32c3",
	version: "1.0.0",
	builtAt: undefined,
	idfVersion: "v6.0.2",
	sdkVersion: undefined,
	running: "ota_0",
	boot: "ota_0",
	warning: undefined,
	isOnTrial: false,
	slots: [],
	state: "IDLE",
	progress: undefined,
	error: undefined,
	uptimeSeconds: 1,
	challenge: "",
};

/** An updater that takes what it is told to, and notes it. */
export class FakeTarget implements PushTarget {
	/** Thrown by the next offers. */
	refusal: Error | undefined;
	/** take() answers false from this many bytes on. */
	takesBytes = Number.POSITIVE_INFINITY;
	readonly offers: PushOffer[] = [];
	readonly notes: string[] = [];
	readonly aborts: string[] = [];
	listener: PushListener | undefined;
	received = "";
	isUnreadable = false;

	offerPush(offer: PushOffer, listener: PushListener) {
		if (this.refusal) throw this.refusal;
		this.offers.push(offer);
		this.listener = listener;
		return {
			take: (buffer: Uint8Array, offset: number, byteCount: number) => {
				this.received += String.fromCharCode(...buffer.subarray(offset, offset + byteCount));
				return this.received.length < this.takesBytes;
			},
			abort: (error: FotaError) => void this.aborts.push(`${error.code}: ${error.message}`),
		};
	}

	notePush(error: FotaError): void {
		this.notes.push(`${error.code}: ${error.message}`);
	}

	report(): StatusReport {
		if (this.isUnreadable) throw new Error("no flash");
		return REPORT;
	}
}

export class PushRig {
	readonly network = new FakeNetwork();
	readonly timer = new FakeTimer();
	readonly target = new FakeTarget();
	readonly log: string[] = [];
	readonly server: PushServer;
	readonly listeners: { readonly onReadable: (count: number) => void; isClosed: boolean }[] = [];
	readonly #bare: FakeTcp[] = [];
	#randomByte = 0;
	/** The next takeovers fail, as after a reset. */
	isTakingBroken = false;

	constructor() {
		const { timer, target } = this;
		const clock = { nowMs: () => timer.nowMs };
		const log = { write: (level: string, text: string) => void this.log.push(`${level} ${text}`) };
		const random = { random: (bytes: Uint8Array) => void bytes.fill(++this.#randomByte) };
		const native = nodeCrypto();
		const exchange = new PushExchange({
			target,
			credential: new PushCredential({ native, random, deviceKey: DEVICE_KEY, clock }),
			penalty: new PushPenalty(),
			information: { read: (_report, challenge) => ({ ...INFORMATION, challenge }) },
			clock,
			log,
		});
		this.server = new PushServer({
			listener: this.#listenerClass(),
			taking: this.#takingClass(),
			port: 3232,
			timer,
			log,
			serve: (connection, refusal) => exchange.serve(connection, refusal),
		});
	}

	#listenerClass(): ListenerClass {
		const rig = this;
		return class {
			isClosed = false;
			readonly onReadable: (count: number) => void;

			constructor(options: { readonly port: number; readonly onReadable: (count: number) => void }) {
				if (rig.network.isDown) throw new Error("no network");
				this.onReadable = options.onReadable;
				rig.listeners.push(this);
			}

			read() {
				return rig.#bare.shift();
			}

			close() {
				this.isClosed = true;
			}
		};
	}

	#takingClass(): TakenSocketClass {
		const rig = this;
		return class extends FakeTcp {
			constructor(options: TakenSocketOptions) {
				if (rig.isTakingBroken) throw new Error("invalid from");
				super(rig.network, { ...options, address: "", port: 0 });
				options.from.close();
				rig.network.connections.push(this);
			}

			/** What a head says is decided in the next turn. */
			override receive(bytes: string | Uint8Array, pieceBytes?: number): void {
				super.receive(bytes, pieceBytes);
				rig.timer.advance(0);
			}
		};
	}

	/** Somebody connects; the socket that the server took over, or the bare one that it closed. */
	dial(): FakeTcp {
		const bare = new FakeTcp(this.network, {
			address: "",
			port: 0,
			nodelay: false,
			onReadable: () => {},
			onWritable: () => {},
			onError: () => {},
		});
		const before = this.network.connections.length;
		this.#bare.push(bare);
		this.listeners.at(-1)?.onReadable(1);
		if (this.network.connections.length === before) return bare;
		this.network.last.accept();
		return this.network.last;
	}

	/** Connects and says it. */
	say(text: string): FakeTcp {
		const tcp = this.dial();
		tcp.receive(text);
		return tcp;
	}

	/** A challenge, as GET /info gives it. */
	challenge(): string {
		const tcp = this.say("GET /info HTTP/1.1\r\nHost: x\r\n\r\n");
		const found = /"challenge":"([0-9a-f]{32})"/.exec(tcp.sent)?.[1];
		tcp.end();
		return found ?? "";
	}

	/** The head of a push with a right credential. */
	head(
		options: { readonly challenge?: string; readonly sizeBytes?: number; readonly more?: string } = {},
	): string {
		const { challenge = this.challenge(), sizeBytes = 10, more = "" } = options;
		const authorization = authorize({ release: "a.b.c", deviceKey: DEVICE_KEY, challenge }, sizeBytes);
		return (
			`POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nFOTA-Release: a.b.c\r\n` +
			`Content-Length: ${sizeBytes}\r\n${more}\r\n`
		);
	}

	/** Nothing escaped into native code, and what is over has left no timer. */
	expectQuiet(): void {
		expect(this.network.escaped).toEqual([]);
		expect(this.timer.escaped).toEqual([]);
		if (this.network.openCount === 0) expect(this.timer.pendingCount).toBe(0);
	}
}
