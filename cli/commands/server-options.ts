// The options of every command that talks to the server, each of which the environment may give instead.
import { type Command, InvalidArgumentError, Option } from "commander";
import { CliError } from "../cli-error.js";
import { HELP_GROUPS } from "../render/help.js";
import { ServerClient } from "../server/server-client.js";
import type { Shell } from "../shell.js";
import { parseServerUrl } from "./arguments.js";

const DEFAULT_URL = "http://localhost:8080";

const TOKENS = {
	viewer: "any token of the server, a viewer's too",
	operator: "an operator's or an admin's token",
	admin: "an admin's token",
} as const;

export interface ServerChoice {
	readonly server?: URL;
	readonly token?: string;
}

// The variables are read here, not by commander's env(): that knows no environment but the process's.
/** `role` is the least that the server asks for what the command does (server/domain/role.ts). */
export function withServerOptions(command: Command, role: "viewer" | "operator" | "admin"): Command {
	return command
		.addOption(
			new Option("--server <url>", `address of the update server (default: ${DEFAULT_URL}, env: FOTA_SERVER)`)
				.argParser(parseServerUrl)
				.helpGroup(HELP_GROUPS.server),
		)
		.addOption(
			new Option(
				"--token <token>",
				`${TOKENS[role]}; required here or in the environment (env: FOTA_TOKEN)`,
			).helpGroup(HELP_GROUPS.server),
		);
}

export function openServer(choice: ServerChoice, { environment }: Shell): ServerClient {
	const token = choice.token ?? environment.FOTA_TOKEN;
	if (!token) {
		throw new CliError("no token for the server", {
			hint: "Give one with --token or in FOTA_TOKEN; npm start keeps that of an admin in data/admin-token.",
		});
	}
	return new ServerClient({ url: choice.server ?? urlFrom(environment.FOTA_SERVER), token });
}

function urlFrom(text = DEFAULT_URL): URL {
	try {
		return parseServerUrl(text);
	} catch (error) {
		if (!(error instanceof InvalidArgumentError)) throw error;
		throw new CliError(`FOTA_SERVER is not a server: ${text}`, { hint: error.message });
	}
}
