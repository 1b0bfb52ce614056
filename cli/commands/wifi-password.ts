// Where the Wi-Fi password comes from: a file, an environment variable, or the person at the terminal, whose typing is
// not shown. Never the command line: it would stand in the shell's history and in every list of processes. Called by
// `fota provision` and `fota settings`. It must not print the password, nor put it into an error.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { CliError } from "../cli-error.js";
import type { Shell } from "../shell.js";

export const WIFI_PASSWORD_VARIABLE = "FOTA_WIFI_PASSWORD";

export interface WifiPasswordSource {
	readonly ssid: string;
	/** The network has none. */
	readonly isOpen: boolean;
	readonly file?: string | undefined;
	/** How the command says that there is none. */
	readonly openHint: string;
}

/** 8 to 63 characters, or empty for an open network. */
export async function askWifiPassword(source: WifiPasswordSource, shell: Shell): Promise<string> {
	if (source.isOpen) return "";
	const password = await readPassword(source, shell);
	if (!/^[\x20-\x7e]{8,63}$/.test(password))
		throw new CliError("the Wi-Fi password is not 8 to 63 printable ASCII characters", {
			hint: source.openHint,
		});
	return password;
}

async function readPassword(source: WifiPasswordSource, shell: Shell): Promise<string> {
	if (source.file !== undefined) return readFirstLine(source.file);
	const fromEnvironment = shell.environment[WIFI_PASSWORD_VARIABLE];
	if (fromEnvironment !== undefined) return fromEnvironment;
	if (!shell.stdin.isTTY)
		throw new CliError("the password of the Wi-Fi is not given", {
			hint: `Put it into a file (--wifi-password-file) or into ${WIFI_PASSWORD_VARIABLE}. ${source.openHint}`,
		});
	return promptUnseen(`Password of the Wi-Fi ${source.ssid}: `, shell);
}

async function readFirstLine(path: string): Promise<string> {
	const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
		throw new CliError(`${path} cannot be read: ${cause.code}`, { cause });
	});
	return text.split(/\r?\n/, 1)[0] ?? "";
}

async function promptUnseen(question: string, shell: Shell): Promise<string> {
	const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
	const reader = createInterface({ input: shell.stdin, output: nowhere, terminal: true });
	try {
		// The terminal no longer echoes: who types the moment he is asked shows nothing.
		shell.stderr.write(question);
		return await reader.question("");
	} finally {
		reader.close();
		shell.stderr.write("\n");
	}
}
