// Text and binary encodings that the XS engine on the device has no built-in for: UTF-8, hex, base64url, CRC-32.
// Decoders give undefined for anything that is not exactly the encoding.

/** UTF-8 of a string; unpaired surrogates become U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
	const bytes = new Uint8Array(utf8Length(text));
	utf8EncodeInto(text, bytes, 0);
	return bytes;
}

function utf8Length(text: string): number {
	let length = 0;
	for (const character of text) {
		const code = character.codePointAt(0) ?? 0;
		length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	}
	return length;
}

/** Writes the UTF-8 of `text` at `offset`; returns the offset behind it. The caller has made room. */
export function utf8EncodeInto(text: string, bytes: Uint8Array, offset: number): number {
	let at = offset;
	for (const character of text) {
		let code = character.codePointAt(0) ?? 0;
		if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
		if (code < 0x80) {
			bytes[at++] = code;
		} else if (code < 0x800) {
			bytes[at++] = 0xc0 | (code >> 6);
			bytes[at++] = 0x80 | (code & 63);
		} else if (code < 0x10000) {
			bytes[at++] = 0xe0 | (code >> 12);
			bytes[at++] = 0x80 | ((code >> 6) & 63);
			bytes[at++] = 0x80 | (code & 63);
		} else {
			bytes[at++] = 0xf0 | (code >> 18);
			bytes[at++] = 0x80 | ((code >> 12) & 63);
			bytes[at++] = 0x80 | ((code >> 6) & 63);
			bytes[at++] = 0x80 | (code & 63);
		}
	}
	return at;
}

/** Strict UTF-8 (RFC 3629: no overlong forms, no surrogates); undefined when it is not. */
export function utf8Decode(bytes: Uint8Array, start = 0, end = bytes.length): string | undefined {
	let text = "";
	let at = start;
	while (at < end) {
		const lead = bytes[at] ?? 0;
		const size =
			lead < 0x80
				? 1
				: lead >= 0xc2 && lead < 0xe0
					? 2
					: lead >= 0xe0 && lead < 0xf0
						? 3
						: lead >= 0xf0 && lead < 0xf5
							? 4
							: 0;
		if (size === 0 || at + size > end) return undefined;
		const code = size === 1 ? lead : multiByteCode(bytes, at, size);
		if (code < 0) return undefined;
		text += String.fromCodePoint(code);
		at += size;
	}
	return text;
}

function multiByteCode(bytes: Uint8Array, at: number, size: number): number {
	let code = (bytes[at] ?? 0) & (0xff >> (size + 1));
	for (let i = 1; i < size; i++) {
		const next = bytes[at + i] ?? 0;
		if ((next & 0xc0) !== 0x80) return -1;
		code = (code << 6) | (next & 63);
	}
	const smallest = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
	if (code < smallest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return -1;
	return code;
}

const HEX_DIGITS = "0123456789abcdef";

/** Lower-case hexadecimal. */
export function hexEncode(bytes: Uint8Array): string {
	let text = "";
	for (let i = 0; i < bytes.length; i++) {
		const byte = bytes[i] ?? 0;
		text += HEX_DIGITS.charAt(byte >> 4) + HEX_DIGITS.charAt(byte & 15);
	}
	return text;
}

/** Lower-case hexadecimal of exactly `length` bytes; undefined otherwise. One spelling only, so hashes compare as text. */
export function hexDecode(text: string, length: number): Uint8Array | undefined {
	if (text.length !== length * 2) return undefined;
	const bytes = new Uint8Array(length);
	for (let i = 0; i < length; i++) {
		const high = hexValue(text.charCodeAt(2 * i));
		const low = hexValue(text.charCodeAt(2 * i + 1));
		if (high < 0 || low < 0) return undefined;
		bytes[i] = (high << 4) | low;
	}
	return bytes;
}

function hexValue(code: number): number {
	if (code >= 0x30 && code <= 0x39) return code - 0x30;
	if (code >= 0x61 && code <= 0x66) return code - 0x61 + 10;
	return -1;
}

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** base64url without padding (RFC 4648 §5). */
export function base64urlEncode(bytes: Uint8Array): string {
	let text = "";
	for (let i = 0; i < bytes.length; i += 3) {
		const rest = bytes.length - i;
		const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
		text += BASE64URL.charAt(group >> 18) + BASE64URL.charAt((group >> 12) & 63);
		if (rest > 1) text += BASE64URL.charAt((group >> 6) & 63);
		if (rest > 2) text += BASE64URL.charAt(group & 63);
	}
	return text;
}

/** Canonical base64url without padding; undefined for padding, foreign characters, or left-over bits. */
export function base64urlDecode(text: string): Uint8Array | undefined {
	if (text.length % 4 === 1) return undefined;
	const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
	let bits = 0;
	let held = 0;
	let at = 0;
	for (let i = 0; i < text.length; i++) {
		const value = base64urlValue(text.charCodeAt(i));
		if (value < 0) return undefined;
		held = ((held << 6) | value) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[at++] = (held >> bits) & 0xff;
		}
	}
	if ((held & ((1 << bits) - 1)) !== 0) return undefined;
	return bytes;
}

function base64urlValue(code: number): number {
	if (code >= 0x41 && code <= 0x5a) return code - 0x41;
	if (code >= 0x61 && code <= 0x7a) return code - 0x61 + 26;
	if (code >= 0x30 && code <= 0x39) return code - 0x30 + 52;
	if (code === 0x2d) return 62;
	if (code === 0x5f) return 63;
	return -1;
}

/** CRC-32 (IEEE 802.3, reflected 0xEDB88320, start and end inverted), as an unsigned number. */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
	let crc = 0xffff_ffff;
	for (let i = start; i < end; i++) {
		crc ^= bytes[i] ?? 0;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
	}
	return (crc ^ 0xffff_ffff) >>> 0;
}
