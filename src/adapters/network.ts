// Keeps the device in its network: opens the interface, connects, notices when it is lost, and tries again for ever, with
// back-off. Built by composition/network. It must not know what the network is used for, nor which kind it is.
//
// Nothing here waits for an event that may never come: an attempt ends after a time, and a network that is up is looked
// at again and again, since an address can be lost without a word.

import type { Clock, Log, Random, Timer } from "../update/ports.js";
import { describeCause } from "./cause.js";
import { Connection, type NetworkInterface } from "./network-interface.js";
import { numericAddress } from "./server-address.js";

/** Association and DHCP together; an access point that is busy takes 10 s. */
export const ATTEMPT_MAX_MS = 30_000;
/** Between two looks while an attempt is under way, and while the network is up. */
const ATTEMPT_LOOK_MS = 1000;
const WATCH_MS = 30_000;
const REST_BASE_MS = 1000;
const REST_CAP_MS = 60_000;
/** A network that stays for that long is a good one: back-off begins anew. */
const STEADY_MS = 60_000;

export interface NetworkOptions {
	/** Builds the interface; `onChanged` may be called from native code. May throw. */
	readonly open: (onChanged: () => void) => NetworkInterface;
	readonly clock: Clock;
	readonly timer: Timer;
	readonly random: Random;
	readonly log: Log;
	/** Who is told; from the event loop, not from inside start(). */
	readonly listeners: () => readonly NetworkListener[];
}

export interface NetworkListener {
	/** The network is there, or has given the device another address. What listened on the old one is void. */
	networkUp(address: string): void;
	networkDown?(): void;
}

type Phase = "stopped" | "resting" | "trying" | "up";

export class Network {
	readonly #options: NetworkOptions;
	#phase: Phase = "stopped";
	#interface: NetworkInterface | undefined;
	#address: string | undefined;
	#timer: unknown;
	#isLookDue = false;
	/** When the present phase began. */
	#sinceMs = 0;
	/** The interface has shown that it is trying; Off after that means that it has failed. */
	#hasMoved = false;
	#failureCount = 0;

	constructor(options: NetworkOptions) {
		this.#options = options;
	}

	/** The present address; undefined while there is no network. */
	get address(): string | undefined {
		return this.#phase === "up" ? this.#address : undefined;
	}

	/** Of the access point. Throws what the driver throws. */
	get rssiDbm(): number | undefined {
		return this.#phase === "up" ? this.#interface?.rssiDbm() : undefined;
	}

	/** Once. Never throws. */
	start(): void {
		if (this.#phase !== "stopped") return;
		this.#enter("resting", 0);
	}

	/** For good. Nothing is called any more. */
	stop(): void {
		this.#phase = "stopped";
		this.#options.timer.clear(this.#timer);
		this.#closeInterface();
	}

	/** The next look in `delayMs`; timer callbacks are guarded, so whatever an interface throws stays here. */
	#enter(phase: Phase, delayMs: number): void {
		this.#phase = phase;
		this.#sinceMs = this.#options.clock.nowMs();
		this.#lookIn(delayMs);
	}

	#lookIn(delayMs: number): void {
		const { timer } = this.#options;
		timer.clear(this.#timer);
		this.#timer = timer.set(() => this.#look(), delayMs);
	}

	/** From native code, perhaps in the middle of a call of ours: only noted, and looked at soon. */
	#changed(): void {
		if (this.#isLookDue || (this.#phase !== "trying" && this.#phase !== "up")) return;
		this.#isLookDue = true;
		try {
			this.#lookIn(0);
		} catch {
			// Without a timer there is nothing left that could be done; thrown further it would restart the chip.
		}
	}

	#look(): void {
		this.#isLookDue = false;
		try {
			if (this.#phase === "resting") this.#try();
			if (this.#phase === "trying") this.#judgeAttempt();
			else if (this.#phase === "up") this.#watch();
		} catch (cause) {
			// A driver that throws is given up and opened anew.
			this.#closeInterface();
			if (this.#phase === "up") this.#lost(describeCause(cause));
			else this.#failed(describeCause(cause));
		}
	}

	#try(): void {
		this.#interface ??= this.#options.open(() => this.#changed());
		this.#hasMoved = false;
		this.#enter("trying", ATTEMPT_LOOK_MS);
		this.#interface.connect();
	}

	#judgeAttempt(): void {
		const { connection, address } = this.#state();
		if (connection > Connection.Off) this.#hasMoved = true;
		const isOver = this.#options.clock.nowMs() - this.#sinceMs >= ATTEMPT_MAX_MS;
		if (address !== undefined) this.#cameUp(address);
		else if (connection === Connection.Off && this.#hasMoved) this.#failed("not found, or refused");
		else if (!isOver) this.#lookIn(ATTEMPT_LOOK_MS);
		else if (connection >= Connection.Linked) this.#failed("connected, but given no address");
		else this.#failed("no connection came about");
	}

	/** Linked with an IPv4 address is enough, although the interface may wait for one of IPv6 as well. */
	#state(): { readonly connection: number; readonly address: string | undefined } {
		const connection = this.#interface?.connection() ?? Connection.Off;
		const address = connection >= Connection.Linked ? this.#interface?.address() : undefined;
		return { connection, address: address === undefined ? undefined : numericAddress(address) };
	}

	#cameUp(address: string): void {
		this.#address = address;
		this.#enter("up", WATCH_MS);
		this.#options.log.write("info", `network: up, address ${address}`);
		this.#tell((listener) => listener.networkUp(address));
	}

	#watch(): void {
		const { address } = this.#state();
		if (address === undefined) this.#lost("lost");
		else if (address === this.#address) this.#lookIn(WATCH_MS);
		else this.#cameUp(address);
	}

	#lost(reason: string): void {
		if (this.#options.clock.nowMs() - this.#sinceMs >= STEADY_MS) this.#failureCount = 0;
		this.#failed(reason);
		this.#tell((listener) => listener.networkDown?.());
	}

	/** What a listener throws is no fault of the interface. */
	#tell(tell: (listener: NetworkListener) => void): void {
		for (const listener of this.#options.listeners()) {
			try {
				tell(listener);
			} catch (cause) {
				this.#options.log.write("error", `network: ${describeCause(cause)}`);
			}
		}
	}

	/**
	 * Leaves what is there and rests. Not at once back to connect: the radio leaves some time after disconnect(), and its
	 * word of that would be taken for the end of the new attempt.
	 */
	#failed(reason: string): void {
		const { log } = this.#options;
		try {
			this.#interface?.disconnect();
		} catch {
			this.#closeInterface();
		}
		this.#failureCount += 1;
		const restMs = this.#restMs();
		log.write("warn", `network: ${reason}; again in ${Math.round(restMs / 1000)} s`);
		this.#enter("resting", restMs);
	}

	/** 1 s · 2^(n−1) up to a minute, ±20 %: devices that lost one access point do not come back in step. */
	#restMs(): number {
		const middleMs = Math.min(REST_CAP_MS, REST_BASE_MS * 2 ** Math.min(10, this.#failureCount - 1));
		const reachMs = middleMs / 5;
		return middleMs - reachMs + this.#options.random.below(2 * reachMs + 1);
	}

	#closeInterface(): void {
		const open = this.#interface;
		this.#interface = undefined;
		try {
			open?.close();
		} catch {
			// Out of reach already.
		}
	}
}
