// The options of every command that talks to the server.
import { type Command, Option } from "commander";
import { CliError } from "../cli-error.js";
import { HELP_GROUPS } from "../render/help.js";
import { ServerClient } from "../server/server-client.js";
import { parseServerUrl } from "./arguments.js";

export interface ServerChoice {
	readonly server: URL;
	readonly token?: string;
}

export function withServerOptions(command: Command): Command {
	return command
		.addOption(
			new Option("--server <url>", "address of the update server")
				.env("FOTA_SERVER")
				.argParser(parseServerUrl)
				.default(new URL("http://localhost:8080"), "http://localhost:8080")
				.helpGroup(HELP_GROUPS.server),
		)
		.addOption(
			new Option("--token <token>", "the server's admin token; required here or in the environment")
				.env("FOTA_TOKEN")
				.helpGroup(HELP_GROUPS.server),
		);
}

export function openServer(choice: ServerChoice): ServerClient {
	if (!choice.token) {
		throw new CliError("no admin token", {
			hint: "Give it with --token or in FOTA_TOKEN; npm start keeps it in data/admin-token.",
		});
	}
	return new ServerClient({ url: choice.server, token: choice.token });
}
