// What the device says of itself by multicast DNS (RFC 6762, 6763), and which of it answers a message. Pure. Used by
// discovery. It must not know sockets or time.

import { type DnsMessage, type DnsRecord, DnsType } from "../protocol/dns-message.js";
import { addressBytes, type OwnRecord } from "../protocol/dns-writer.js";

export interface LocalService {
	/** Such as `_ota._tcp`. */
	readonly type: string;
	readonly port: number;
	/** `key=value`, at most 255 characters each. */
	readonly texts: readonly string[];
}

/** RFC 6762 §10: what has an address in it lives shorter. */
const ADDRESS_TTL_SECONDS = 120;
const OTHER_TTL_SECONDS = 4500;
const DOMAIN = "local";

/** One host name, its address, and the services under it; each service is named as the host. */
export class LocalRecords {
	/** `name.local` */
	readonly host: string;
	readonly address: string;
	readonly all: readonly OwnRecord[];
	readonly #hostKey: string;

	constructor(name: string, address: string, services: readonly LocalService[]) {
		this.host = `${name}.${DOMAIN}`;
		this.address = address;
		this.#hostKey = this.host.toLowerCase();
		this.all = [
			{ name: this.host, type: DnsType.A, ttlSeconds: ADDRESS_TTL_SECONDS, address },
			{ name: this.host, type: DnsType.NSEC, ttlSeconds: ADDRESS_TTL_SECONDS },
			...services.flatMap((service) => serviceRecords(name, this.host, service)),
		];
	}

	/** What only one in the network may have: probed before it is used. */
	get claimed(): readonly OwnRecord[] {
		return this.all.filter(({ type }) => type === DnsType.A || type === DnsType.SRV);
	}

	/** Those that answer the questions, without what the sender says it knows (RFC 6762 §7.1). */
	answersTo(message: DnsMessage): OwnRecord[] {
		return this.all.filter(
			(record) =>
				message.questions.some(({ name, type }) => isAnswer(record, name, type)) &&
				!message.answers.some((known) => isKnown(record, known)),
		);
	}

	/** What goes with them unasked, so that nobody need ask again (RFC 6763 §12). */
	additionalTo(answers: readonly OwnRecord[]): OwnRecord[] {
		const wanted = new Set(answers.flatMap((answer) => ("target" in answer ? [answer.target] : [])));
		const direct = this.all.filter(({ name, type }) => wanted.has(name) && type !== DnsType.PTR);
		const needsHost = [...direct, ...answers].some(({ type }) => type === DnsType.SRV);
		const host = needsHost ? this.all.filter(({ name }) => name === this.host) : [];
		return [...new Set([...direct, ...host])].filter((record) => !answers.includes(record));
	}

	/** Somebody else answers to a name of ours (RFC 6762 §9). */
	isContradictedBy(message: DnsMessage): boolean {
		if (!message.isResponse) return false;
		const records = [...message.answers, ...message.authorities, ...message.additionals];
		return records.some(
			(record) => record.ttlSeconds > 0 && this.claimed.some((own) => isRival(own, record)),
		);
	}

	/** Somebody else probes for our host name at the same time, and comes first (RFC 6762 §8.2). */
	isOutrankedBy(message: DnsMessage): boolean {
		if (message.isResponse) return false;
		const rivals = message.authorities.filter(({ name }) => name === this.#hostKey);
		const first = rivals.reduce<DnsRecord | undefined>(
			(low, record) => (low === undefined || record.type < low.type ? record : low),
			undefined,
		);
		if (first === undefined || first.type < DnsType.A) return false;
		if (first.type > DnsType.A) return true;
		return compareBytes(first.data, addressBytes(this.address)) > 0;
	}
}

function serviceRecords(name: string, host: string, service: LocalService): OwnRecord[] {
	const type = `${service.type}.${DOMAIN}`;
	const instance = `${name}.${type}`;
	const { port, texts } = service;
	return [
		{ name: type, type: DnsType.PTR, ttlSeconds: OTHER_TTL_SECONDS, target: instance },
		{ name: instance, type: DnsType.SRV, ttlSeconds: ADDRESS_TTL_SECONDS, target: host, port },
		{ name: instance, type: DnsType.TXT, ttlSeconds: OTHER_TTL_SECONDS, texts },
		{
			name: `_services._dns-sd._udp.${DOMAIN}`,
			type: DnsType.PTR,
			ttlSeconds: OTHER_TTL_SECONDS,
			target: type,
		},
	];
}

function isAnswer(record: OwnRecord, name: string, type: number): boolean {
	if (record.name.toLowerCase() !== name) return false;
	// Asked for what the host does not have, it says so; otherwise the asker would wait.
	if (record.type === DnsType.NSEC) return type === DnsType.NSEC || type === DnsType.AAAA;
	return type === record.type || type === DnsType.ANY;
}

function isKnown(record: OwnRecord, known: DnsRecord): boolean {
	return (
		record.type === DnsType.PTR &&
		known.type === DnsType.PTR &&
		known.name === record.name.toLowerCase() &&
		known.target === record.target.toLowerCase() &&
		known.ttlSeconds >= record.ttlSeconds / 2
	);
}

/** Same name and type, another content. */
function isRival(own: OwnRecord, other: DnsRecord): boolean {
	if (own.type !== other.type || own.name.toLowerCase() !== other.name) return false;
	if (own.type === DnsType.A) return compareBytes(other.data, addressBytes(own.address)) !== 0;
	return own.type === DnsType.SRV && other.target !== own.target.toLowerCase();
}

function compareBytes(a: ArrayLike<number>, b: ArrayLike<number>): number {
	const length = Math.min(a.length, b.length);
	for (let i = 0; i < length; i++) {
		const difference = (a[i] ?? 0) - (b[i] ?? 0);
		if (difference !== 0) return difference;
	}
	return a.length - b.length;
}
