// `fota logs`: the server's event log or security log.
import { Command, InvalidArgumentError } from "commander";
import { eventLine } from "../render/device-table.js";
import { printLine } from "../render/text.js";
import { PAGE_SIZE } from "../server/server-client.js";
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
		.option("--limit <n>", `the newest n, at most ${PAGE_SIZE}`, parseLimit, 100)
		.option(
			"--json",
			"one JSON object a line: id, time, deviceId, type, and details with the server's own names (error_code, …)",
		);
	return withServerOptions(command, "viewer").action(async (options: LogsOptions) => {
		const log = options.security ? "security" : "fota";
		const { deviceId, limit } = options;
		const events = await openServer(options, shell).events({ log, deviceId, limit });
		for (const event of events)
			printLine(shell.stdout, options.json ? JSON.stringify(event) : eventLine(event));
		if (events.length === 0) printLine(shell.stderr, "no such event is in the log");
	});
}

function parseLimit(text: string): number {
	const limit = parseCount(text);
	if (limit < 1 || limit > PAGE_SIZE) throw new InvalidArgumentError(`A number from 1 to ${PAGE_SIZE}.`);
	return limit;
}
