// The time of day, asked of a time server, for the lines of the log and nothing else: it is not authenticated, so nothing
// is decided by it. Built by composition/network, read by the log. It must not set any other clock.

import { NTP_COOKIE_BYTES, NTP_PORT, ntpQuestion, parseNtpAnswer } from "../protocol/ntp-message.js";
import type { Clock, Log, Random, Timer } from "../update/ports.js";
import { describeCause } from "./cause.js";
import type { NetworkListener } from "./network.js";
import type { Resolver } from "./resolver.js";
import { type Datagram, UdpChannel, type UdpSocketClass } from "./udp-socket.js";

/** A server on the internet answers within a second. */
const ANSWER_MAX_MS = 5000;
const RETRY_BASE_MS = 15_000;
const RETRY_CAP_MS = 3_600_000;
/** A crystal is off by some seconds a day at most. */
const AGAIN_MS = 86_400_000;

export interface WallClockOptions {
	readonly io: UdpSocketClass;
	/** Time server, a name or an address. */
	readonly host: string;
	readonly resolver: Pick<Resolver, "resolve">;
	readonly clock: Clock;
	readonly timer: Timer;
	readonly random: Random;
	readonly log: Log;
	/** Told once a time is known: Unix time in milliseconds at clock time 0. */
	readonly onTime: (unixAtStartMs: number) => void;
}

export class WallClock implements NetworkListener {
	readonly #options: WallClockOptions;
	#timer: unknown;
	#callOff: (() => void) | undefined;
	#channel: UdpChannel | undefined;
	#failureCount = 0;
	#knownSinceMs: number | undefined;

	constructor(options: WallClockOptions) {
		this.#options = options;
	}

	networkUp(): void {
		const { clock, timer } = this.#options;
		const againMs = this.#knownSinceMs === undefined ? 0 : this.#knownSinceMs + AGAIN_MS - clock.nowMs();
		this.#end();
		if (againMs > 0) this.#timer = timer.set(() => this.#ask(), againMs);
		else this.#ask();
	}

	networkDown(): void {
		this.#end();
	}

	#ask(): void {
		const { resolver, host } = this.#options;
		this.#end();
		this.#callOff = resolver.resolve(host, (address) => {
			this.#callOff = undefined;
			if (address === undefined) this.#failed("its name leads nowhere");
			else this.#send(address);
		});
	}

	#send(address: string): void {
		const { io, timer, random, clock } = this.#options;
		const cookie = new Uint8Array(NTP_COOKIE_BYTES).map(() => random.below(256));
		const sentMs = clock.nowMs();
		try {
			this.#channel = new UdpChannel({
				...{ io, timer },
				onDatagram: (datagram) => this.#answered(datagram, { cookie, address, sentMs }),
				onFault: (cause) => this.#failed(describeCause(cause)),
			});
		} catch (cause) {
			this.#failed(describeCause(cause));
			return;
		}
		this.#channel.write(ntpQuestion(cookie), address, NTP_PORT);
		this.#timer = timer.set(() => this.#failed("no answer"), ANSWER_MAX_MS);
	}

	/** What is no answer of the one who was asked is passed over: the true one may still come. */
	#answered(
		datagram: Datagram,
		asked: { readonly cookie: Uint8Array; readonly address: string; readonly sentMs: number },
	): void {
		if (datagram.address !== asked.address || datagram.port !== NTP_PORT) return;
		const unixMs = parseNtpAnswer(datagram.bytes, asked.cookie);
		if (unixMs === undefined) return;
		const { clock, timer, log, onTime } = this.#options;
		const nowMs = clock.nowMs();
		this.#end();
		this.#failureCount = 0;
		// Half of the way there and back has passed since.
		onTime(unixMs + (nowMs - asked.sentMs) / 2 - nowMs);
		if (this.#knownSinceMs === undefined) log.write("info", "time of day is known");
		this.#knownSinceMs = nowMs;
		this.#timer = timer.set(() => this.#ask(), AGAIN_MS);
	}

	#failed(reason: string): void {
		const { timer, log, host } = this.#options;
		this.#end();
		this.#failureCount += 1;
		const delayMs = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(10, this.#failureCount - 1));
		if (this.#failureCount === 1) log.write("warn", `time server ${host}: ${reason}`);
		this.#timer = timer.set(() => this.#ask(), delayMs);
	}

	#end(): void {
		this.#options.timer.clear(this.#timer);
		this.#callOff?.();
		this.#callOff = undefined;
		this.#channel?.close();
		this.#channel = undefined;
	}
}
