// The server's secrets: the master key that device keys come from, the JWT secret that signs access tokens, and the admin
// token. Made at the first start, kept in files that only the server's user can read. Called by app.ts; it must not know the database.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hexDecode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { KEY_BYTES } from "../../src/protocol/limits.js";
import { writeSecretOnce } from "../stores/durable-file.js";

export const MASTER_KEY_FILE = "master-key";
export const ADMIN_TOKEN_FILE = "admin-token";
export const JWT_SECRET_FILE = "jwt-secret";
export const ADMIN_TOKEN_MIN_CHARS = 16;
const ADMIN_TOKEN_PATTERN = /^[\x21-\x7e]{16,256}$/;

export interface Secrets {
	readonly masterKey: Uint8Array;
	/** Undefined where it is switched off. */
	readonly adminToken: string | undefined;
	readonly jwtSecret: Uint8Array;
}

export interface SecretOptions {
	/** Where the files are; undefined: nothing is kept. */
	readonly directory: string | undefined;
	/** Takes the place of the file. */
	readonly masterKey?: Uint8Array | undefined;
	/** Takes the place of the file. At least 16 printable characters; false: there is none. */
	readonly adminToken?: string | false | undefined;
	/** Takes the place of the file. 32 bytes. */
	readonly jwtSecret?: Uint8Array | undefined;
	/** How many registered devices have a key that comes from the master key. */
	readonly countDerivedDevices: () => Promise<number>;
}

/**
 * Throws `request-malformed` for a secret that is too weak or a file that is damaged, `server-failed` for a file that
 * cannot be read and for a master key that is gone while devices depend on it.
 */
export async function loadSecrets(options: SecretOptions): Promise<Secrets> {
	return {
		masterKey: await loadMasterKey(options),
		adminToken: await loadAdminToken(options),
		jwtSecret: await loadJwtSecret(options),
	};
}

async function loadMasterKey(options: SecretOptions): Promise<Uint8Array> {
	if (options.masterKey !== undefined) return options.masterKey;
	if (options.directory === undefined) return randomBytes(KEY_BYTES);
	const path = join(options.directory, MASTER_KEY_FILE);
	const text = (await readSecret(path)) ?? (await makeSecret(path, () => refuseIfNeeded(path, options)));
	return parseKey(text, path);
}

// With another one every user has to log in again, no more.
async function loadJwtSecret({ jwtSecret, directory }: SecretOptions): Promise<Uint8Array> {
	if (jwtSecret !== undefined) return jwtSecret;
	if (directory === undefined) return randomBytes(KEY_BYTES);
	const path = join(directory, JWT_SECRET_FILE);
	return parseKey((await readSecret(path)) ?? (await makeSecret(path)), path);
}

async function loadAdminToken({ adminToken, directory }: SecretOptions): Promise<string | undefined> {
	if (adminToken === false) return undefined;
	if (adminToken !== undefined) return checkAdminToken(adminToken, "the admin token");
	if (directory === undefined) return newSecret();
	const path = join(directory, ADMIN_TOKEN_FILE);
	return checkAdminToken((await readSecret(path)) ?? (await makeSecret(path)), path);
}

// Threat: a folder restored without this file. With another key every device would be locked out, without a sound.
async function refuseIfNeeded(path: string, { countDerivedDevices }: SecretOptions): Promise<void> {
	const deviceCount = await countDerivedDevices();
	if (deviceCount === 0) return;
	throw new FotaError(
		"server-failed",
		`${path} is missing, and the keys of ${deviceCount} registered device(s) come from it: a new one would lock them ` +
			"out. Restore the file from a backup, or give its content in FOTA_MASTER_KEY if that was where it came from. " +
			`If it is lost for good: write a new one (umask 077; openssl rand -hex 32 > ${path}), start once with ` +
			"FOTA_MASTER_KEY_REPLACED=yes, and give every device its new key by cable (fota provision)",
	);
}

/** 64 lower-case hex digits. Throws `request-malformed` that names `source`, never the text. */
export function parseKey(text: string, source: string): Uint8Array {
	const key = hexDecode(text, KEY_BYTES);
	if (key === undefined)
		throw new FotaError("request-malformed", `${source} is not 64 lower-case hex digits`);
	return key;
}

function checkAdminToken(text: string, source: string): string {
	if (!ADMIN_TOKEN_PATTERN.test(text))
		throw new FotaError(
			"request-malformed",
			`${source} is not ${ADMIN_TOKEN_MIN_CHARS} to 256 printable characters`,
		);
	return text;
}

/** Undefined when there is no such file. */
async function readSecret(path: string): Promise<string | undefined> {
	try {
		return (await readFile(path, "utf8")).trim();
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		if (code === "ENOENT") return undefined;
		throw new FotaError("server-failed", `${path} cannot be read by this user (${code})`, { cause });
	}
}

async function makeSecret(path: string, check = async () => {}): Promise<string> {
	await check();
	await writeSecretOnce(path, `${newSecret()}\n`);
	// Another server may have been first on this folder: the file counts.
	return (await readSecret(path)) ?? "";
}

function newSecret(): string {
	return randomBytes(KEY_BYTES).toString("hex");
}

/** Compares in constant time, whatever the lengths: the hashes are compared. */
export function isAdminToken(given: string, adminToken: string): boolean {
	const digest = (text: string) => createHash("sha256").update(text).digest();
	return timingSafeEqual(digest(given), digest(adminToken));
}
