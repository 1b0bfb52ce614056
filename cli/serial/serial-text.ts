// Turns what a serial port brings into text that is safe to show. Called by `fota monitor`.
// Threat: a device (or noise on the line) that moves the terminal's cursor, sets its title or has it answer.

const ESCAPE = "\x1b";
/** Longest escape sequence that is taken out as one; behind that, text is text again. */
const SEQUENCE_MAX_CHARS = 32;

/** Keeps line ends and tabs, drops escape sequences whole and every other control character; pieces may end anywhere. */
export class SerialText {
	readonly #decoder = new TextDecoder();
	/** Of an escape sequence whose end has not come yet. */
	#sequence = "";

	/** The text of the next bytes. */
	push(bytes: Uint8Array): string {
		let text = "";
		for (const char of this.#decoder.decode(bytes, { stream: true })) text += this.#take(char);
		return text;
	}

	#take(char: string): string {
		if (char === ESCAPE) {
			this.#sequence = char;
			return "";
		}
		if (this.#sequence === "") return isShown(char) ? char : "";
		this.#sequence += char;
		if (isSequenceOver(this.#sequence)) this.#sequence = "";
		return "";
	}
}

// ESC [ parameters final (colours, cursor); ESC ] text BEL (title); any other is two characters.
function isSequenceOver(sequence: string): boolean {
	const kind = sequence[1];
	const last = sequence.at(-1) ?? "";
	if (sequence.length >= SEQUENCE_MAX_CHARS || last === "\n") return true;
	if (kind === "[") return sequence.length > 2 && last >= "@" && last <= "~";
	if (kind === "]") return last === "\x07";
	return true;
}

function isShown(char: string): boolean {
	return char === "\n" || char === "\t" || !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(char);
}
