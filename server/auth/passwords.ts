// Passwords as they are kept: scrypt with its parameters in the text, so that they can be raised later. Called by the
// log-in and wherever a password is set. It must not know users.
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { FotaError } from "../../src/protocol/error-codes.js";

/** Any characters; the longest keeps what is hashed small. */
export const PASSWORD_MIN_CHARS = 12;
export const PASSWORD_MAX_CHARS = 128;

export interface Passwords {
	/** Throws `rate-limited` when too many wait already. */
	hash(password: string): Promise<string>;
	/**
	 * Whether the password belongs to the hash. Without a hash (no such user) it takes as long and is false. Throws
	 * `rate-limited` when too many wait already.
	 */
	verify(password: string, hash: string | undefined): Promise<boolean>;
}

export interface PasswordOptions {
	/** Logarithm of scrypt's N: each step doubles time and memory. Default 15: 32 MiB, a fifth of a second. */
	readonly costLog2?: number | undefined;
}

const DEFAULT_COST_LOG2 = 15;
const BLOCK_SIZE = 8;
const PARALLELISM = 3;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/**
 * Threat: a flood of log-ins that eats the processor, and the four threads on which Node also reads files. Two at a time
 * leave the other half to the devices; who would wait longer than some seconds is refused.
 */
const RUNNING_MAX = 2;
const WAITING_MAX = 32;
const HASH_PATTERN = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]{22})\$([\w-]{43})$/;

export function createPasswords(options: PasswordOptions = {}): Passwords {
	const cost = { ln: options.costLog2 ?? DEFAULT_COST_LOG2, r: BLOCK_SIZE, p: PARALLELISM };
	const take = createGate();
	const derive = (password: string, salt: Buffer, how: Cost) => take(() => runScrypt(password, salt, how));
	// Of no password: what an unknown name is compared with.
	const nobody = { ...cost, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
	return {
		async hash(password) {
			const salt = randomBytes(SALT_BYTES);
			const hash = await derive(password, salt, cost);
			const [saltText, hashText] = [salt, hash].map((bytes) => bytes.toString("base64url"));
			return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${saltText}$${hashText}`;
		},
		async verify(password, text) {
			const kept = text === undefined ? nobody : parseHash(text);
			const given = await derive(password, kept.salt, kept);
			return timingSafeEqual(given, kept.hash) && text !== undefined;
		},
	};
}

interface Cost {
	readonly ln: number;
	readonly r: number;
	readonly p: number;
}

function parseHash(text: string): Cost & { readonly salt: Buffer; readonly hash: Buffer } {
	const [, ln, r, p, salt = "", hash = ""] = HASH_PATTERN.exec(text) ?? [];
	if (ln === undefined) throw new FotaError("server-failed", "a password hash in the database is damaged");
	return {
		ln: Number(ln),
		r: Number(r),
		p: Number(p),
		salt: Buffer.from(salt, "base64url"),
		hash: Buffer.from(hash, "base64url"),
	};
}

function runScrypt(password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> {
	const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 256 * r * (2 ** ln + p) };
	return new Promise((resolve, reject) => {
		// Two ways to type one character are one password (Unicode NFKC, NIST SP 800-63B).
		scrypt(password.normalize("NFKC"), salt, HASH_BYTES, options, (error, hash) =>
			error ? reject(error) : resolve(hash),
		);
	});
}

/** Lets RUNNING_MAX through at a time, has WAITING_MAX wait, and refuses the others. */
function createGate() {
	let runningCount = 0;
	const waiting: (() => void)[] = [];
	return async <T>(task: () => Promise<T>): Promise<T> => {
		if (runningCount >= RUNNING_MAX) {
			if (waiting.length >= WAITING_MAX) throw new FotaError("rate-limited", "too many log-ins at once");
			// The place is handed on, so nobody can come in between.
			await new Promise<void>((resolve) => waiting.push(resolve));
		} else runningCount++;
		try {
			return await task();
		} finally {
			const next = waiting.shift();
			if (next === undefined) runningCount--;
			else next();
		}
	};
}

/** What is given to a user to log in with once: 118 bits, in characters that are read aloud without doubt. */
export function makeOneTimePassword(): string {
	const alphabet = "abcdefghjkmnpqrstuvwxyz23456789";
	const letters = Array.from(randomBytes(60), (byte) => (byte < 248 ? alphabet[byte % 31] : "")).join("");
	return letters.slice(0, 24).replace(/(.{6})(?=.)/g, "$1-");
}
