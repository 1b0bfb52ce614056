// Reads and writes the files named on the command line, with errors for people. Called by the commands.
import { readFile, rm, writeFile } from "node:fs/promises";
import { STATEMENT_MAX_BYTES } from "../../src/protocol/limits.js";
import { CliError } from "../cli-error.js";

export async function readImageFile(path: string): Promise<Uint8Array> {
	return readFile(path).catch((cause: NodeJS.ErrnoException) => {
		throw new CliError(`${path} cannot be read: ${cause.code}`, { cause });
	});
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
	if (release.length > STATEMENT_MAX_BYTES || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(release))
		throw new CliError(`${path} is not a release statement`, { hint: "Give what fota sign wrote." });
	return release;
}

/** A secret is readable by its owner only, also where the file was there before. */
export async function writeOutput(
	path: string,
	bytes: Uint8Array | string,
	options: { readonly isSecret?: boolean } = {},
): Promise<void> {
	try {
		if (options.isSecret) await rm(path, { force: true });
		await writeFile(path, bytes, { mode: options.isSecret ? 0o600 : 0o644 });
	} catch (cause) {
		throw new CliError(`${path} cannot be written: ${(cause as NodeJS.ErrnoException).code}`, { cause });
	}
}
