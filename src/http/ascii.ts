// ASCII as HTTP uses it: classes of bytes, and text to bytes and back without TextEncoder. Called by the
// parsers and writers of this folder. It must not know any message.

const TAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;

/** Printable ASCII without the blank. */
export function isVisibleByte(byte: number): boolean {
	return byte > SPACE && byte < DELETE;
}

/** Blank or tab: RFC 9110 §5.6.3, optional white space. */
export function isBlankByte(byte: number): boolean {
	return byte === SPACE || byte === TAB;
}

/** What a field value or reason may hold: RFC 9110 §5.5, obsolete bytes above ASCII included. */
export function isTextByte(byte: number): boolean {
	return (byte >= SPACE && byte !== DELETE) || byte === TAB;
}

export function isDigitByte(byte: number): boolean {
	return byte >= 0x30 && byte <= 0x39;
}

function isLetterByte(byte: number): boolean {
	return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a);
}

/** RFC 9110 §5.6.2: letters, digits and !#$%&'*+-.^_`|~ */
export function isTokenByte(byte: number): boolean {
	if (isLetterByte(byte) || isDigitByte(byte)) return true;
	if (byte === 0x2d || byte === 0x5f || byte === 0x21) return true;
	if (byte >= 0x23 && byte <= 0x27) return true;
	if (byte === 0x2a || byte === 0x2b || byte === 0x2e) return true;
	return byte === 0x5e || byte === 0x60 || byte === 0x7c || byte === 0x7e;
}

export function toLowerByte(byte: number): number {
	return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Whether the bytes are `text`, which is lower-case, in any case. */
export function equalsIgnoringCase(
	buffer: Uint8Array,
	offset: number,
	byteCount: number,
	text: string,
): boolean {
	if (text.length !== byteCount) return false;
	for (let at = 0; at < byteCount; at += 1) {
		if (toLowerByte(buffer[offset + at] ?? 0) !== text.charCodeAt(at)) return false;
	}
	return true;
}

/** The bytes as text, eight a step: fewer strings that live for a moment than one a byte would make. */
export function asciiText(buffer: Uint8Array, offset: number, byteCount: number): string {
	const end = offset + byteCount;
	let text = "";
	let at = offset;
	for (; at + 8 <= end; at += 8) {
		text += String.fromCharCode(
			buffer[at] ?? 0,
			buffer[at + 1] ?? 0,
			buffer[at + 2] ?? 0,
			buffer[at + 3] ?? 0,
			buffer[at + 4] ?? 0,
			buffer[at + 5] ?? 0,
			buffer[at + 6] ?? 0,
			buffer[at + 7] ?? 0,
		);
	}
	for (; at < end; at += 1) text += String.fromCharCode(buffer[at] ?? 0);
	return text;
}

/** Whether each character of `text` is an ASCII byte that `accepts` takes. True for "". */
export function consistsOf(text: string, accepts: (byte: number) => boolean): boolean {
	for (let at = 0; at < text.length; at += 1) {
		if (!accepts(text.charCodeAt(at))) return false;
	}
	return true;
}
