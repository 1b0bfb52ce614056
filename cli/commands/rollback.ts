// `fota rollback`: orders a device back to the firmware it ran before.
import { Command } from "commander";
import { printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseName } from "./arguments.js";
import { openServer, type ServerChoice, withServerOptions } from "./server-options.js";

interface RollbackOptions extends ServerChoice {
	readonly deviceId: string;
	readonly reason: string;
}

export function rollbackCommand(shell: Shell): Command {
	const command = new Command("rollback")
		.summary("order a device back to its former firmware")
		.description(
			"The device goes back at its next poll or report, says so, and does not install the release it left " +
				"until that is signed anew (fota sign, fota publish).",
		)
		.requiredOption("--device-id <id>", "the device", parseName)
		.option("--reason <text>", "for the logs", "ordered by the operator");
	return withServerOptions(command, "operator").action(async (options: RollbackOptions) => {
		const orderId = await openServer(options, shell).orderRollback(options.deviceId, options.reason);
		printLine(shell.stdout, `rollback order ${orderId} waits for ${options.deviceId}`);
	});
}
