// A push server on a fake port, a fake timer and a fake updater. Used by the tests of the push server.

import { expect } from "vitest";
import { authorize } from "../../cli/device/push-client.js";
import { PushCredential } from "../../src/adapters/push-credential.js";
import { PushExchange } from "../../src/adapters/push-exchange.js";
import { PushPenalty } from "../../src/adapters/push-penalty.js";
import { PushServer } from "../../src/adapters/push-server.js";
import type { FotaError } from "../../src/protocol/error-codes.js";
import { CONFIRM_PATH, type DeviceInformation } from "../../src/protocol/push.js";
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { PushListener, PushOffer, PushTarget } from "../../src/update/ports.js";
import { nodeCrypto } from "../fakes/node-crypto.js";
import { type FakePeer, FakeSockets } from "./fake-sockets.js";
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
	readonly confirmations: string[] = [];
	isConfirmed = false;
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

	confirmPush(release: string): boolean {
		if (this.refusal) throw this.refusal;
		this.confirmations.push(release);
		return this.isConfirmed;
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
	readonly sockets = new FakeSockets(() => this.turn());
	readonly timer = new FakeTimer();
	readonly target = new FakeTarget();
	readonly log: string[] = [];
	readonly server: PushServer;
	#randomByte = 0;

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
			sockets: this.sockets,
			port: 3232,
			timer,
			clock,
			log,
			serve: (connection, refusal) => exchange.serve(connection, refusal),
		});
	}

	/** The device looks, without the wait; what a head says is decided at the look behind that. */
	turn(): void {
		this.timer.fireRepeating();
		this.timer.fireRepeating();
	}

	/** Somebody connects, and the device has seen it. */
	dial(): FakePeer {
		const peer = this.sockets.dial();
		this.turn();
		return peer;
	}

	/** Connects and says it. */
	say(text: string): FakePeer {
		const peer = this.dial();
		peer.receive(text);
		return peer;
	}

	/** A challenge, as GET /info gives it. */
	challenge(): string {
		const peer = this.say("GET /info HTTP/1.1\r\nHost: x\r\n\r\n");
		const found = /"challenge":"([0-9a-f]{32})"/.exec(peer.sent)?.[1];
		peer.end();
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

	/** POST /confirm, with a right credential unless it is told another. */
	confirmation(options: { readonly target?: string; readonly body?: string } = {}): string {
		const { target = CONFIRM_PATH, body = "" } = options;
		const credential = { release: "a.b.c", deviceKey: DEVICE_KEY, challenge: this.challenge() };
		const authorization = authorize(credential, body.length, target);
		return (
			`POST /confirm HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nFOTA-Release: a.b.c\r\n` +
			`Content-Length: ${body.length}\r\n\r\n${body}`
		);
	}

	/** Nothing escaped into native code, and what is over has left no timer. */
	expectQuiet(): void {
		expect(this.timer.escaped).toEqual([]);
		if (this.sockets.openCount === 0) expect(this.timer.pendingCount).toBeLessThanOrEqual(1);
		this.server.stop();
		expect(this.timer.pendingCount).toBe(0);
		expect(this.sockets.openCount).toBe(0);
	}
}
