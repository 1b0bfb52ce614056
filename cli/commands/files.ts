// Reads and writes the files named on the command line, with errors for people. Called by the commands. It must not
// know what is in them.
import { spawnSync } from "node:child_process";
import { constants } from "node:fs";
import { access, readFile, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { IDENTITY_SECTORS, parseIdentityRecord } from "../../src/protocol/identity.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import { parseSignedStatement } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { writeDurably } from "../durable-file.js";

/** An application's .bin. */
export async function readImageFile(path: string): Promise<Uint8Array> {
	return readWhole(path, "Build it first: fota build --version … (simulator) or fota firmware (board).");
}

/** An identity, or the flash of a device. */
export async function readFlashFile(path: string): Promise<Uint8Array> {
	return readWhole(path, "fota provision makes it.");
}

async function readWhole(path: string, hintWhereMissing: string): Promise<Uint8Array> {
	return readFile(path).catch((cause: NodeJS.ErrnoException) => {
		const hint = cause.code === "ENOENT" ? hintWhereMissing : undefined;
		throw new CliError(`${path} cannot be read: ${cause.code}`, { hint, cause });
	});
}

/** An identity partition with a device in it, as `fota provision --identity-only` wrote it. */
export async function readIdentityImage(path: string): Promise<Uint8Array> {
	const bytes = await readFlashFile(path);
	const records = [0, SECTOR_BYTES].map((at) => parseIdentityRecord(bytes.subarray(at, at + SECTOR_BYTES)));
	if (bytes.length !== IDENTITY_SECTORS * SECTOR_BYTES || records.every((record) => record === undefined))
		throw new CliError(`${path} is not the identity of a device`, {
			hint: "Give what fota provision --identity-only wrote.",
		});
	return bytes;
}

/** The compact JWS that `fota sign` wrote. */
export async function readReleaseFile(path: string): Promise<string> {
	const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
		throw new CliError(`${path} cannot be read: ${cause.code}`, {
			hint: "Run fota sign on the image first.",
			cause,
		});
	});
	const release = text.trim();
	try {
		parseSignedStatement(release);
	} catch (cause) {
		throw new CliError(`${path} is not a release statement`, { hint: "Give what fota sign wrote.", cause });
	}
	return release;
}

/** What can be made again from what it was made of. */
export async function writeOutput(path: string, bytes: Uint8Array | string): Promise<void> {
	await writeFile(path, bytes, { mode: 0o644 }).catch(refuseOutput(path));
}

/** What holds a device's key: readable by its owner only, also where the file was there before. */
export async function writeSecret(path: string, bytes: Uint8Array): Promise<void> {
	await writeDurably(path, bytes, { mode: 0o600, isNew: false }).catch(refuseOutput(path));
}

/** Refuses a file that a device may depend on; called before anything is done that would need it. */
export async function checkSecretOutput(
	path: string,
	options: { readonly isForced: boolean },
): Promise<void> {
	await access(dirname(path), constants.W_OK).catch(refuseOutput(path));
	const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
		return error.code === "ENOENT" ? undefined : refuseOutput(path)(error);
	});
	if (found === undefined) return;
	if (!found.isFile()) throw new CliError(`${path} is not a file`);
	if (!options.isForced)
		throw new CliError(`${path} exists already and is not overwritten`, {
			hint: "It may be all that a device is. Give another file with --out, or say --force if that device may go.",
		});
	if (isLocked(path))
		throw deviceRunning(path, "Stop it first (Ctrl+C where it runs), or give another file with --out.");
}

/** Refuses what writeSecret() could not take the place of, and a flash that a simulated device runs on: it would not see it. */
export async function checkChangeable(path: string): Promise<void> {
	const found = await stat(path).catch(refuseOutput(path));
	if (!found.isFile()) throw new CliError(`${path} is not a file`);
	await access(dirname(path), constants.W_OK).catch(refuseOutput(path));
	if (isLocked(path)) throw deviceRunning(path, "Stop it first (Ctrl+C where it runs).");
}

function deviceRunning(path: string, hint: string): CliError {
	return new CliError(`a simulated device is running on ${path}`, { hint });
}

// The simulator holds a lock on its flash (flock(2)), which Node itself cannot ask for. Without the tool the device is
// not found, but not harmed either: writeSecret() leaves it the file it has open.
function isLocked(path: string): boolean {
	return spawnSync("flock", ["-n", path, "true"], { stdio: "ignore" }).status === 1;
}

function refuseOutput(path: string): (cause: NodeJS.ErrnoException) => never {
	return (cause) => {
		const hint = cause.code === "ENOENT" ? "Make its folder first." : undefined;
		throw new CliError(`${path} cannot be written: ${cause.code}`, { hint, cause });
	};
}
