// Messages of a simple NTP client (RFC 5905 §7.3): the question, and the time out of an answer. Pure. Used by
// adapters/wall-clock. The answer comes from anywhere in the network: 48 bytes are looked at, each in its range.

export const NTP_PORT = 123;
export const NTP_BYTES = 48;
/** What a question carries as its transmit time, and its answer brings back. */
export const NTP_COOKIE_BYTES = 8;
const VERSION_4_CLIENT = 0x23;
const MODE_SERVER = 4;
const LEAP_UNKNOWN = 3;
const STRATUM_MAX = 15;
const ORIGIN_OFFSET = 24;
const TRANSMIT_OFFSET = 40;
/** NTP counts from 1900, Unix from 1970. */
const UNIX_EPOCH_SECONDS = 2_208_988_800;
const ERA_SECONDS = 0x1_0000_0000;
/** 2024-01-01: a time before it is one of the next era (RFC 5905 §6), which begins in 2036. */
const PIVOT_UNIX_SECONDS = 1_704_067_200;

/** The random cookie stands where a client may put its own time, which is nobody's business. */
export function ntpQuestion(cookie: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(NTP_BYTES);
	bytes[0] = VERSION_4_CLIENT;
	bytes.set(cookie.subarray(0, NTP_COOKIE_BYTES), TRANSMIT_OFFSET);
	return bytes;
}

/**
 * Unix time in milliseconds, or undefined for what is no answer to the question with this cookie, or comes from a server
 * without the time. Threat: anybody's datagram sets the clock; who has not seen the question cannot know the cookie.
 */
export function parseNtpAnswer(bytes: Uint8Array, cookie: Uint8Array): number | undefined {
	if (bytes.length < NTP_BYTES) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, NTP_BYTES);
	const head = view.getUint8(0);
	const stratum = view.getUint8(1);
	if ((head & 7) !== MODE_SERVER || head >> 6 === LEAP_UNKNOWN) return undefined;
	if (stratum === 0 || stratum > STRATUM_MAX) return undefined;
	for (let i = 0; i < NTP_COOKIE_BYTES; i++) if (bytes[ORIGIN_OFFSET + i] !== cookie[i]) return undefined;
	const seconds = view.getUint32(TRANSMIT_OFFSET);
	const fraction = view.getUint32(TRANSMIT_OFFSET + 4);
	if (seconds === 0) return undefined;
	let unixSeconds = seconds - UNIX_EPOCH_SECONDS;
	if (unixSeconds < PIVOT_UNIX_SECONDS) unixSeconds += ERA_SECONDS;
	return unixSeconds * 1000 + Math.floor((fraction * 1000) / ERA_SECONDS);
}
