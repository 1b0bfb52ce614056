// The secrets in a backup: those that the server goes by, whether they come from files or from the environment. Called by
// backup.ts and restore.ts.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FotaError } from "../../src/protocol/error-codes.js";
import { ADMIN_TOKEN_FILE, JWT_SECRET_FILE, MASTER_KEY_FILE } from "../auth/secrets.js";
import type { Settings } from "../settings.js";
import { syncFolder, writeSecretOnce } from "../stores/durable-file.js";

type SecretSettings = Pick<Settings["app"], "dataDirectory" | "masterKey" | "jwtSecret" | "adminToken">;

const VARIABLES = [
	{ file: MASTER_KEY_FILE, variable: "FOTA_MASTER_KEY" },
	{ file: JWT_SECRET_FILE, variable: "FOTA_JWT_SECRET" },
	{ file: ADMIN_TOKEN_FILE, variable: "FOTA_ADMIN_TOKEN" },
] as const;

/**
 * Writes the secrets into a new folder, returns the names of their files. Throws `server-failed` without a master key: a
 * backup that is said to have it, and has not, is found out when it is too late.
 */
export async function copySecrets(settings: SecretSettings, folder: string): Promise<string[]> {
	const secrets = await secretsOf(settings);
	if (!secrets.has(MASTER_KEY_FILE))
		throw new FotaError(
			"server-failed",
			`there is no master key to back up, neither in FOTA_MASTER_KEY nor in ${settings.dataDirectory}: run the command ` +
				"with the settings that the server has",
		);
	await mkdir(folder, { mode: 0o700 });
	for (const [name, text] of secrets) await writeSecretOnce(join(folder, name), text);
	await syncFolder(folder);
	return [...secrets.keys()];
}

/**
 * Puts secrets of a backup into the data folder, where they are not in place already, and says which. What the settings or
 * the data folder have otherwise stays as it is, with a warning.
 */
export async function restoreSecrets(
	settings: SecretSettings,
	folder: string,
	say: (line: string) => void,
): Promise<void> {
	const written: string[] = [];
	const inPlace = await secretsOf(settings);
	for (const { file, variable } of VARIABLES) {
		const text = await textOf(join(folder, file));
		const present = inPlace.get(file);
		if (text === undefined) {
			if (file === MASTER_KEY_FILE && present === undefined) say(noMasterKey("The backup has no master key"));
			continue;
		}
		if (present === undefined) {
			await writeSecretOnce(join(settings.dataDirectory, file), text);
			written.push(`${file} (${variable})`);
		} else if (present.trim() !== text.trim()) say(warningOf(file, variable));
	}
	if (written.length > 0)
		say(
			`Secrets put into ${settings.dataDirectory}: ${written.join(", ")}. Other servers on this database need the same.`,
		);
}

/** What is said where the master key must come from elsewhere. */
export function noMasterKey(why: string): string {
	return `${why}: put it in place before the server is started, or every device is locked out.`;
}

function warningOf(file: string, variable: string): string {
	const what = `WARNING: the ${file} in place (${variable}, or the file in the data folder) is not the backup's, and stays.`;
	return file === MASTER_KEY_FILE
		? `${what} With it every device of the backup whose key comes from the backup's is locked out.`
		: what;
}

/** As the files have them. The environment takes the place of a file. */
async function secretsOf(settings: SecretSettings): Promise<Map<string, string>> {
	const { masterKey, jwtSecret, adminToken, dataDirectory } = settings;
	const given = {
		[MASTER_KEY_FILE]: masterKey && Buffer.from(masterKey).toString("hex"),
		[JWT_SECRET_FILE]: jwtSecret && Buffer.from(jwtSecret).toString("hex"),
		[ADMIN_TOKEN_FILE]: adminToken,
	};
	const secrets = new Map<string, string>();
	for (const { file } of VARIABLES) {
		// Switched off: the file counts for nothing.
		if (given[file] === false) continue;
		const text = given[file] ? `${given[file]}\n` : await textOf(join(dataDirectory, file));
		if (text !== undefined) secrets.set(file, text);
	}
	return secrets;
}

/** Undefined when there is no such file. */
async function textOf(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}
