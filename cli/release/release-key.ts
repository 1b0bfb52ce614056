// The release key (ECDSA P-256) on the operator's machine: made, kept in two files, read again. Called by `fota keygen`,
// `fota sign` and the demo. It must not know the server: the private key never leaves this machine.
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hexDecode, hexEncode } from "../../src/protocol/encoding.js";
import { PUBLIC_KEY_BYTES } from "../../src/protocol/limits.js";
import { keyIdOf } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { writeDurably } from "../durable-file.js";

export const PRIVATE_KEY_FILE = "release.key";
export const PUBLIC_KEY_FILE = "release.pub";

export interface ReleaseKey {
	readonly privateKey: KeyObject;
	/** Uncompressed point, 65 bytes: what devices and server hold. */
	readonly publicKey: Uint8Array;
	/** First 16 hex digits of SHA-256 over the public key. */
	readonly keyId: string;
}

export function createReleaseKey(): ReleaseKey {
	return withPublicKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
}

function withPublicKey(privateKey: KeyObject): ReleaseKey {
	const { x = "", y = "" } = privateKey.export({ format: "jwk" });
	const publicKey = new Uint8Array([4, ...Buffer.from(x, "base64url"), ...Buffer.from(y, "base64url")]);
	return { privateKey, publicKey, keyId: publicKeyId(publicKey) };
}

export function publicKeyId(publicKey: Uint8Array): string {
	return keyIdOf(createHash("sha256").update(publicKey).digest());
}

export interface KeyFiles {
	readonly privatePath: string;
	readonly publicPath: string;
}

/** Writes the private key (PKCS#8 PEM, mode 0600) and the public one (hex). Never over an existing file. */
export async function saveReleaseKey(key: ReleaseKey, folder: string): Promise<KeyFiles> {
	const files = { privatePath: join(folder, PRIVATE_KEY_FILE), publicPath: join(folder, PUBLIC_KEY_FILE) };
	await mkdir(folder, { recursive: true });
	await writeNew(
		files.privatePath,
		key.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
		0o600,
	);
	await writeNew(files.publicPath, `${hexEncode(key.publicKey)}\n`, 0o644);
	return files;
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
	try {
		await writeDurably(path, text, { mode, isNew: true });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
		throw new CliError(`${path} exists already and is not overwritten`, {
			hint: "Devices that trust this key need it for every later release. Give another folder with --out.",
		});
	}
}

/** Reads a private key in PEM. */
export async function loadReleaseKey(path: string): Promise<ReleaseKey> {
	const hint = `Give the ${PRIVATE_KEY_FILE} that fota keygen wrote.`;
	const pem = await readFile(path, "utf8").catch((cause: unknown) => {
		throw new CliError(`${path} cannot be read`, { hint, cause });
	});
	let key: KeyObject;
	try {
		key = createPrivateKey(pem);
	} catch (cause) {
		throw new CliError(`${path} is not a private key in PEM`, { hint, cause });
	}
	if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1")
		throw new CliError(`${path} is not a P-256 key`, { hint });
	return withPublicKey(key);
}

/** A public key from 130 hex digits, or from a file that holds them. */
export async function loadPublicKey(pathOrHex: string): Promise<Uint8Array> {
	const hint = `Give the ${PUBLIC_KEY_FILE} that fota keygen wrote, or its 130 hex digits.`;
	const readKey = () =>
		readFile(pathOrHex, "utf8").catch((cause: NodeJS.ErrnoException) => {
			throw new CliError(`${pathOrHex} cannot be read: ${cause.code}`, { hint, cause });
		});
	const text = /^04[0-9a-f]{128}$/.test(pathOrHex) ? pathOrHex : await readKey();
	const key = hexDecode(text.trim(), PUBLIC_KEY_BYTES);
	if (key?.[0] === 4) return key;
	throw new CliError(`${pathOrHex} is not a public release key`, { hint });
}
