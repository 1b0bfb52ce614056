// `fota logs`: the server's event log or security log.
import { Command } from "commander";
import { eventLine } from "../render/device-table.js";
import { printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount, parseName } from "./arguments.js";
import { openServer, type ServerChoice, withServerOptions } from "./server-options.js";

interface LogsOptions extends ServerChoice {
	readonly deviceId?: string;
	readonly security?: boolean;
	readonly limit: number;
	readonly json?: boolean;
}

export function logsCommand(shell: Shell): Command {
	const command = new Command("logs")
		.summary("the server's event log")
		.description("Prints what the server logged about devices and releases, the newest line last.")
		.option("--device-id <id>", "of one device; default all", parseName)
		.option("--security", "the security log instead")
		.option("--limit <n>", "the newest n, at most 500", parseCount, 100)
		.option(
			"--json",
			"one JSON object a line: id, time, deviceId, type, and details with the server's own names (error_code, …)",
		);
	return withServerOptions(command, "viewer").action(async (options: LogsOptions) => {
		const log = options.security ? "security" : "fota";
		const { deviceId, limit } = options;
		for (const event of await openServer(options, shell).events({ log, deviceId, limit }))
			printLine(shell.stdout, options.json ? JSON.stringify(event) : eventLine(event));
	});
}
