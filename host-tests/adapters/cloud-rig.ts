// A cloud between scripted HTTP clients and an authentic server, for the cloud's tests.

import { HttpCloud } from "../../src/adapters/cloud.js";
import { DeviceCredential } from "../../src/adapters/device-credential.js";
import type { HttpErrorCode, HttpRequest } from "../../src/adapters/http-client.js";
import { Nonces } from "../../src/adapters/nonces.js";
import { GuardedTimer } from "../../src/adapters/timer.js";
import type { Outcome } from "../../src/update/ports.js";
import { MemoryTexts } from "../fakes/memory-texts.js";
import { nodeCrypto } from "../fakes/node-crypto.js";
import { RecordingLog } from "../fakes/recording-log.js";
import { AuthenticServer } from "./authentic-server.js";
import { FakeTimer } from "./fake-timer.js";
import { type Reply, ScriptedHttpClient } from "./scripted-http-client.js";

export const DEVICE_KEY = new Uint8Array(32).fill(7);

/** One reply a request, in order; the last one goes on. */
export type Turn = (nonce: number, request: HttpRequest) => Reply | HttpErrorCode;

export class CloudRig {
	readonly server = new AuthenticServer(DEVICE_KEY);
	readonly storage = new MemoryTexts();
	readonly log = new RecordingLog();
	readonly timer = new FakeTimer();
	readonly clients: ScriptedHttpClient[] = [];
	readonly requests: HttpRequest[] = [];
	readonly cloud: HttpCloud;
	isSigningBroken = false;
	#turns: readonly Turn[];

	constructor(...turns: readonly Turn[]) {
		this.#turns = turns;
		const { storage, log } = this;
		const nonces = new Nonces({ storage, random: { below: () => 0 }, log });
		const rig = this;
		const credential = new DeviceCredential({
			native: nodeCrypto(),
			deviceId: "dev-1",
			deviceKey: DEVICE_KEY,
			nonces: {
				next() {
					if (rig.isSigningBroken) throw new Error("psa -141");
					return nonces.next();
				},
				skipTo: (nonce) => nonces.skipTo(nonce),
			},
		});
		const open = () => {
			const client = new ScriptedHttpClient((request) => this.#turn(request));
			this.clients.push(client);
			return client;
		};
		this.cloud = new HttpCloud({
			openTalk: open,
			openReports: open,
			credential,
			timer: new GuardedTimer({ timer: this.timer, log }),
			deviceType: "inverter",
			chip: "esp32c3",
		});
	}

	run(): void {
		for (let i = 0; i < this.clients.length; i += 1) this.clients[i]?.run();
		this.timer.advance(1);
	}

	#turn(request: HttpRequest): Reply | HttpErrorCode {
		const turn = this.#turns[Math.min(this.requests.length, this.#turns.length - 1)];
		this.requests.push(request);
		if (turn === undefined) throw new Error("nothing in the script");
		return turn(this.server.nonceOf(request), request);
	}
}

/** Collects what one `done` was called with; more than one call is seen. */
export class Outcomes<T> {
	readonly all: Outcome<T>[] = [];
	readonly done = (outcome: Outcome<T>) => {
		this.all.push(outcome);
	};

	/** The code of the only outcome, or its value. */
	get only(): T | string | undefined {
		if (this.all.length !== 1) return `${this.all.length} outcomes`;
		const [outcome] = this.all;
		return outcome?.error === undefined ? outcome?.value : outcome.error.code;
	}
}
