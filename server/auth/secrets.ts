// The server's two secrets: the master key that device keys come from, and the admin token. Made at the first start,
// kept in files that only the server's user can read.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { hexDecode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { KEY_BYTES } from "../../src/protocol/limits.js";

export const MASTER_KEY_FILE = "master-key";
export const ADMIN_TOKEN_FILE = "admin-token";
export const ADMIN_TOKEN_MIN_CHARS = 16;
const ADMIN_TOKEN_PATTERN = /^[\x21-\x7e]{16,256}$/;

export interface Secrets {
	readonly masterKey: Uint8Array;
	readonly adminToken: string;
	/** True if the admin token was made just now. */
	readonly isAdminTokenNew: boolean;
}

export interface SecretOptions {
	/** Where the files are; undefined: nothing is kept. */
	readonly directory: string | undefined;
	/** Takes the place of the file. */
	readonly masterKey?: Uint8Array | undefined;
	/** Takes the place of the file. At least 16 printable characters. */
	readonly adminToken?: string | undefined;
}

/** Throws `request-malformed` for a secret that is too weak or a file that is damaged. */
export async function loadSecrets(options: SecretOptions): Promise<Secrets> {
	const master =
		options.masterKey === undefined
			? await keptSecret(options.directory, MASTER_KEY_FILE)
			: { text: Buffer.from(options.masterKey).toString("hex"), isNew: false };
	const token =
		options.adminToken === undefined
			? await keptSecret(options.directory, ADMIN_TOKEN_FILE)
			: { text: options.adminToken, isNew: false };
	return {
		masterKey: parseMasterKey(master.text),
		adminToken: checkAdminToken(token.text),
		isAdminTokenNew: token.isNew,
	};
}

/** 64 lower-case hex digits. Throws `request-malformed`. */
export function parseMasterKey(text: string): Uint8Array {
	const key = hexDecode(text, KEY_BYTES);
	if (key === undefined)
		throw new FotaError("request-malformed", "the master key is not 64 lower-case hex digits");
	return key;
}

function checkAdminToken(text: string): string {
	if (!ADMIN_TOKEN_PATTERN.test(text))
		throw new FotaError(
			"request-malformed",
			`the admin token is not ${ADMIN_TOKEN_MIN_CHARS} to 256 printable characters`,
		);
	return text;
}

async function keptSecret(
	directory: string | undefined,
	name: string,
): Promise<{ readonly text: string; readonly isNew: boolean }> {
	const made = randomBytes(KEY_BYTES).toString("hex");
	if (directory === undefined) return { text: made, isNew: true };
	const path = join(directory, name);
	const isNew = await writeOnce(path, made);
	return { text: (await readFile(path, "utf8")).trim(), isNew };
}

// Written whole and linked into place: a crash never leaves half a master key, and an existing one is never replaced.
async function writeOnce(path: string, text: string): Promise<boolean> {
	const draft = `${path}.new`;
	await rm(draft, { force: true });
	const file = await open(draft, "wx", 0o600);
	try {
		await file.writeFile(`${text}\n`);
		await file.sync();
	} finally {
		await file.close();
	}
	try {
		await link(draft, path);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
		return false;
	} finally {
		await rm(draft, { force: true });
	}
}

/** Compares in constant time, whatever the lengths: the hashes are compared. */
export function isAdminToken(given: string, adminToken: string): boolean {
	const digest = (text: string) => createHash("sha256").update(text).digest();
	return timingSafeEqual(digest(given), digest(adminToken));
}
