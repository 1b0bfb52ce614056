// The one door for JSON from outside: size, UTF-8 and nesting are checked before JSON.parse sees it, then fields are
// taken one by one with their limits. A reader throws the code its caller names; nothing is read before it is checked.
import { utf8Decode } from "./encoding.js";
import { type ErrorCode, FotaError } from "./error-codes.js";
import { JSON_MAX_DEPTH } from "./limits.js";

export interface JsonLimits {
	/** Largest document, in bytes. */
	readonly maxBytes: number;
	/** Code thrown for anything that is not as it must be. */
	readonly code: ErrorCode;
}

/** Parses one JSON object. Throws `limits.code` for anything else. */
export function parseJsonObject(bytes: Uint8Array, limits: JsonLimits): JsonFields {
	if (bytes.length > limits.maxBytes) throw new FotaError(limits.code, `more than ${limits.maxBytes} bytes`);
	const text = utf8Decode(bytes);
	if (text === undefined) throw new FotaError(limits.code, "not UTF-8");
	if (isTooDeep(bytes)) throw new FotaError(limits.code, "nested too deep");
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new FotaError(limits.code, "not JSON", { cause });
	}
	return new JsonFields(value, limits.code, "");
}

// Threat: thousands of "[" overflow the native stack of the device's JSON parser, which restarts the chip.
// Brackets inside strings count as well; no message of ours has many.
function isTooDeep(bytes: Uint8Array): boolean {
	let depth = 0;
	let isInString = false;
	for (let i = 0; i < bytes.length; i++) {
		const byte = bytes[i];
		if (isInString) {
			if (byte === 0x5c) i++;
			else if (byte === 0x22) isInString = false;
		} else if (byte === 0x22) isInString = true;
		else if (byte === 0x7b || byte === 0x5b) {
			if (++depth > JSON_MAX_DEPTH) return true;
		} else if (byte === 0x7d || byte === 0x5d) depth--;
	}
	return false;
}

/** Reads the fields of one JSON object, each with its limits. Absent and null are the same for optional fields. */
export class JsonFields {
	readonly #value: Record<string, unknown>;
	readonly #code: ErrorCode;
	readonly #path: string;

	constructor(value: unknown, code: ErrorCode, path: string) {
		if (typeof value !== "object" || value === null || Array.isArray(value)) {
			throw new FotaError(code, `${path === "" ? "document" : path} is not an object`);
		}
		this.#value = value as Record<string, unknown>;
		this.#code = code;
		this.#path = path;
	}

	has(name: string): boolean {
		return Object.hasOwn(this.#value, name) && this.#value[name] !== null && this.#value[name] !== undefined;
	}

	/** An integer in [min, max]. */
	integer(name: string, min: number, max: number): number {
		const value = this.#own(name);
		if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
			throw this.#bad(name, `an integer from ${min} to ${max}`);
		}
		return value;
	}

	optionalInteger(name: string, min: number, max: number): number | undefined {
		return this.has(name) ? this.integer(name, min, max) : undefined;
	}

	boolean(name: string): boolean {
		const value = this.#own(name);
		if (typeof value !== "boolean") throw this.#bad(name, "true or false");
		return value;
	}

	optionalBoolean(name: string): boolean | undefined {
		return this.has(name) ? this.boolean(name) : undefined;
	}

	/** A string of 1 to `maxChars` characters without control characters that fully matches `pattern`, if given. */
	string(name: string, maxChars: number, pattern?: RegExp): string {
		const value = this.#own(name);
		if (typeof value !== "string" || value.length === 0 || value.length > maxChars || hasControl(value)) {
			throw this.#bad(name, `a text of 1 to ${maxChars} characters`);
		}
		if (pattern && !pattern.test(value)) throw this.#bad(name, `a text like ${pattern.source}`);
		return value;
	}

	optionalString(name: string, maxChars: number, pattern?: RegExp): string | undefined {
		return this.has(name) ? this.string(name, maxChars, pattern) : undefined;
	}

	/** Where an empty text means something of its own. */
	isEmptyString(name: string): boolean {
		return this.#own(name) === "";
	}

	oneOf<T extends string>(name: string, allowed: readonly T[]): T {
		const value = this.#own(name);
		const found = allowed.find((item) => item === value);
		if (found === undefined) throw this.#bad(name, `one of ${allowed.join(", ")}`);
		return found;
	}

	object(name: string): JsonFields {
		return new JsonFields(this.#own(name), this.#code, this.#join(name));
	}

	optionalObject(name: string): JsonFields | undefined {
		return this.has(name) ? this.object(name) : undefined;
	}

	/** The objects of an array of at most `maxCount` objects. */
	objects(name: string, maxCount: number): JsonFields[] {
		return this.#array(name, maxCount).map((item) => new JsonFields(item, this.#code, this.#join(name)));
	}

	/** An array of 1 to `maxCount` strings, each fully matching `pattern`. */
	strings(name: string, maxCount: number, pattern: RegExp): string[] {
		return this.#array(name, maxCount).map((item) => {
			if (typeof item !== "string" || !pattern.test(item))
				throw this.#bad(name, `texts like ${pattern.source}`);
			return item;
		});
	}

	#array(name: string, maxCount: number): unknown[] {
		const value = this.#own(name);
		if (!Array.isArray(value) || value.length > maxCount)
			throw this.#bad(name, `a list of at most ${maxCount}`);
		return value;
	}

	#own(name: string): unknown {
		return Object.hasOwn(this.#value, name) ? this.#value[name] : undefined;
	}

	#join(name: string): string {
		return this.#path === "" ? name : `${this.#path}.${name}`;
	}

	// The value itself is not repeated: it may be long, hostile, or a secret.
	#bad(name: string, wanted: string): FotaError {
		return new FotaError(this.#code, `${this.#join(name)} is not ${wanted}`);
	}
}

/**
 * `text` as {@link JsonFields.string} accepts it: at most `maxChars`, control characters and half surrogate pairs as
 * "?"; undefined when nothing is left. Whoever sends a text that came from elsewhere passes it through here, because a
 * message that is refused for its text would be refused for ever.
 */
export function plainText(text: string, maxChars: number): string | undefined {
	let plain = "";
	let charCount = 0;
	for (const character of text) {
		const code = character.codePointAt(0) ?? 0;
		// XS counts code points, Node UTF-16 units: the larger of the two must fit.
		charCount += code > 0xffff ? 2 : 1;
		if (charCount > maxChars) break;
		const isPlain = code >= 0x20 && code !== 0x7f && (code < 0xd800 || code > 0xdfff);
		plain += isPlain ? character : "?";
	}
	return plain === "" ? undefined : plain;
}

function hasControl(text: string): boolean {
	for (let i = 0; i < text.length; i++) {
		const code = text.charCodeAt(i);
		if (code < 0x20 || code === 0x7f) return true;
	}
	return false;
}

export const HASH_PATTERN = /^[0-9a-f]{64}$/;
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
