// The device in the local network under a name: probes for it, announces it, answers those who ask, gives it up
// (RFC 6762). Built by composition/network. It must not know what the services do. The SDK's own dnssd restarts the chip for a
// message with an empty name, so this stands on the socket: every message is bounded, every callback guarded.

import { type DnsMessage, DnsType, parseDnsMessage } from "../protocol/dns-message.js";
import { DnsWriter, isUnique, type OwnRecord } from "../protocol/dns-writer.js";
import { HOSTNAME_MAX_CHARS } from "../protocol/surroundings.js";
import type { Clock, Log, Random, Timer } from "../update/ports.js";
import { describeCause } from "./cause.js";
import { LocalRecords, type LocalService } from "./mdns-records.js";
import type { NetworkListener } from "./network.js";
import { SecondBudget } from "./second-budget.js";
import { type Datagram, UdpChannel, type UdpSocketClass } from "./udp-socket.js";

export const MDNS_PORT = 5353;
const GROUP = "224.0.0.251";
/** Both services under the longest name need about 1300. */
const MESSAGE_BYTES = 1400;
/** No socket was free. */
const REOPEN_MS = 60_000;
const PROBES = 3;
const PROBE_GAP_MS = 250;
const ANNOUNCE_GAP_MS = 1000;
/** After a rival came first. */
const YIELD_MS = 1000;
/** Conflicts after which somebody must be making them: RFC 6762 §8.1 asks for a rest of 5 s. */
const CONFLICTS_MAX = 5;
const CONFLICT_REST_MS = 5000;
const NAMES_MAX = 99;
/** An answer that others may give too is given after 20 to 120 ms, so that they do not all talk at once. */
const SHARED_DELAY_MS = 20;
const SHARED_SPREAD_MS = 100;
/** Threat: forged senders that make the device talk to others. */
const ANSWERS_A_SECOND = 10;
/** Threat: a flood of messages, each of which takes time to read. What comes beyond is lost, as datagrams are. */
const MESSAGES_A_SECOND = 50;

export interface DiscoveryOptions {
	readonly io: UdpSocketClass;
	/** Name to be known by; with a number behind it where another has it. */
	readonly hostname: string;
	readonly services: readonly LocalService[];
	readonly clock: Clock;
	readonly timer: Timer;
	readonly random: Random;
	readonly log: Log;
}

/** waiting: a name is chosen, and nothing was said of it yet; so nothing that is heard is about it. */
type Phase = "off" | "waiting" | "probing" | "claimed";

export class Discovery implements NetworkListener {
	readonly #options: DiscoveryOptions;
	readonly #writer = new DnsWriter(MESSAGE_BYTES);
	#phase: Phase = "off";
	#channel: UdpChannel | undefined;
	#address = "";
	#records: LocalRecords | undefined;
	/** Number behind the name; 1: none. */
	#nameNumber = 1;
	#conflictCount = 0;
	#timer: unknown;
	#answerTimer: unknown;
	/** Answers to all that wait for their time. */
	#pending = new Set<OwnRecord>();
	readonly #answerBudget: SecondBudget;
	readonly #messageBudget: SecondBudget;
	/** When each record was last sent to all. */
	#saidMs = new Map<OwnRecord, number>();

	constructor(options: DiscoveryOptions) {
		this.#options = options;
		this.#answerBudget = new SecondBudget(options.clock, ANSWERS_A_SECOND);
		this.#messageBudget = new SecondBudget(options.clock, MESSAGES_A_SECOND);
	}

	networkUp(address: string): void {
		this.networkDown();
		this.#address = address;
		try {
			this.#channel = this.#openChannel();
		} catch (cause) {
			this.#options.log.write("warn", `mdns: ${describeCause(cause)}`);
			this.#later(REOPEN_MS, () => this.networkUp(address));
			return;
		}
		this.#probeSoon(this.#options.random.below(PROBE_GAP_MS));
	}

	#openChannel(): UdpChannel {
		return new UdpChannel({
			io: this.#options.io,
			timer: this.#options.timer,
			port: MDNS_PORT,
			timeToLive: 255,
			group: GROUP,
			onDatagram: (datagram) => this.#received(datagram),
			onFault: (cause) => this.#options.log.write("error", `mdns: ${describeCause(cause)}`),
		});
	}

	/** Nobody can be told any more. */
	networkDown(): void {
		const { timer } = this.#options;
		timer.clear(this.#timer);
		timer.clear(this.#answerTimer);
		this.#answerTimer = undefined;
		this.#pending.clear();
		this.#phase = "off";
		this.#channel?.close();
		this.#channel = undefined;
	}

	/** Gives the name up, and says so. For good. */
	close(): void {
		const records = this.#records?.all ?? [];
		if (this.#phase === "claimed") this.#sendToAll(records.map((record) => ({ ...record, ttlSeconds: 0 })));
		this.networkDown();
	}

	#probeSoon(delayMs: number): void {
		const { timer, services } = this.#options;
		this.#records = new LocalRecords(this.#name(), this.#address, services);
		this.#saidMs.clear();
		this.#phase = "waiting";
		this.#later(delayMs, () => this.#probe(1));
		timer.clear(this.#answerTimer);
		this.#answerTimer = undefined;
		this.#pending.clear();
	}

	#name(): string {
		const { hostname } = this.#options;
		const suffix = this.#nameNumber === 1 ? "" : `-${this.#nameNumber}`;
		return hostname.slice(0, HOSTNAME_MAX_CHARS - suffix.length) + suffix;
	}

	#later(delayMs: number, work: () => void): void {
		const { timer } = this.#options;
		timer.clear(this.#timer);
		this.#timer = timer.set(work, delayMs);
	}

	#probe(number: number): void {
		this.#phase = "probing";
		const claimed = this.#records?.claimed ?? [];
		this.#send({
			isResponse: false,
			questions: claimed.map(({ name }) => ({ name, type: DnsType.ANY, isUnicastWanted: true })),
			authorities: claimed,
		});
		if (number < PROBES) this.#later(PROBE_GAP_MS, () => this.#probe(number + 1));
		else this.#later(PROBE_GAP_MS, () => this.#claim());
	}

	#claim(): void {
		this.#phase = "claimed";
		this.#options.log.write("info", `mdns: known as ${this.#records?.host}`);
		this.#announce();
		this.#later(ANNOUNCE_GAP_MS, () => {
			this.#conflictCount = 0;
			this.#announce();
		});
	}

	#announce(): void {
		this.#sendToAll(this.#records?.all ?? []);
	}

	#received(datagram: Datagram): void {
		if (this.#phase === "off" || this.#phase === "waiting" || !this.#messageBudget.take()) return;
		const message = parseDnsMessage(datagram.bytes);
		const records = this.#records;
		if (message === undefined || records === undefined) return;
		if (message.isResponse) {
			// RFC 6762 §6: an answer from another port is none.
			if (datagram.port === MDNS_PORT && records.isContradictedBy(message)) this.#contradicted();
		} else if (this.#phase === "probing") {
			if (records.isOutrankedBy(message)) this.#probeSoon(YIELD_MS);
		} else this.#answer(message, records, datagram);
	}

	/** A name that was ours is probed for again; one that was to be ours is another's. */
	#contradicted(): void {
		this.#conflictCount += 1;
		if (this.#phase === "probing") {
			this.#nameNumber = this.#nameNumber >= NAMES_MAX ? 2 : this.#nameNumber + 1;
			this.#options.log.write("warn", `mdns: the name is taken, trying ${this.#name()}`);
		}
		const isAttack = this.#conflictCount > CONFLICTS_MAX;
		this.#probeSoon(isAttack ? CONFLICT_REST_MS : this.#options.random.below(PROBE_GAP_MS));
	}

	#answer(message: DnsMessage, records: LocalRecords, from: Datagram): void {
		const answers = records.answersTo(message);
		if (answers.length === 0) return;
		const isLegacy = from.port !== MDNS_PORT;
		if (!isLegacy && !message.questions.every(({ isUnicastWanted }) => isUnicastWanted))
			this.#answerAll(answers);
		else if (this.#answerBudget.take()) {
			const additionals = records.additionalTo(answers);
			// A plain DNS client wants its number and its question back (RFC 6762 §6.7).
			const questions = isLegacy
				? message.questions.map((item) => ({ ...item, isUnicastWanted: false }))
				: [];
			const id = isLegacy ? message.id : 0;
			const bytes = this.#writer.write({
				...{ id, isResponse: true, isLegacy, questions, answers, additionals },
				authorities: [],
			});
			if (bytes !== undefined) this.#channel?.write(bytes, from.address, from.port);
		}
	}

	/** Together with what others ask in the meantime; nothing twice within a second (RFC 6762 §6). */
	#answerAll(answers: readonly OwnRecord[]): void {
		const { clock, timer, random } = this.#options;
		const nowMs = clock.nowMs();
		for (const record of answers)
			if (nowMs - (this.#saidMs.get(record) ?? Number.NEGATIVE_INFINITY) >= 1000) this.#pending.add(record);
		if (this.#pending.size === 0 || this.#answerTimer !== undefined) return;
		const isAlone = answers.every(isUnique);
		const delayMs = isAlone ? 0 : SHARED_DELAY_MS + random.below(SHARED_SPREAD_MS);
		this.#answerTimer = timer.set(() => {
			const due = [...this.#pending];
			this.#answerTimer = undefined;
			this.#pending.clear();
			this.#sendToAll(due, this.#records?.additionalTo(due));
		}, delayMs);
	}

	#sendToAll(answers: readonly OwnRecord[], additionals: readonly OwnRecord[] = []): void {
		const nowMs = this.#options.clock.nowMs();
		for (const record of answers) this.#saidMs.set(record, nowMs);
		this.#send({ isResponse: true, answers, additionals });
	}

	#send(parts: {
		readonly isResponse: boolean;
		readonly questions?: readonly { name: string; type: number; isUnicastWanted: boolean }[];
		readonly answers?: readonly OwnRecord[];
		readonly authorities?: readonly OwnRecord[];
		readonly additionals?: readonly OwnRecord[];
	}): void {
		const bytes = this.#writer.write({
			...{ id: 0, questions: [], answers: [], authorities: [], additionals: [] },
			...parts,
		});
		if (bytes !== undefined) this.#channel?.write(bytes, GROUP, MDNS_PORT);
	}
}
