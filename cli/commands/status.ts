// `fota status`: what the devices reported last.
import { Command } from "commander";
import { type DeviceLine, statusTable } from "../render/device-table.js";
import { printLine } from "../render/text.js";
import type { ServerClient } from "../server/server-client.js";
import type { Shell } from "../shell.js";
import { parseName } from "./arguments.js";
import { openServer, type ServerChoice, withServerOptions } from "./server-options.js";

interface StatusOptions extends ServerChoice {
	readonly deviceId?: string;
	readonly json?: boolean;
}

export function statusCommand(shell: Shell): Command {
	const command = new Command("status")
		.summary("what the devices reported last")
		.description(
			"Prints a line for each device: version, slot, state (decommissioned, if it was taken out of service), when it " +
				'was last seen, and under "last trouble" its last error or ordered rollback since an update was completed.',
		)
		.option("--device-id <id>", "one device; default all", parseName)
		.option(
			"--json",
			"for programs: an array of objects, with deviceId, version, state, lastSeen, lastError and more",
		);
	return withServerOptions(command, "viewer").action(async (options: StatusOptions) => {
		const server = openServer(options, shell);
		const devices = await devicesOf(server, options.deviceId);
		if (options.json) printLine(shell.stdout, JSON.stringify(devices, undefined, "\t"));
		else printLine(shell.stdout, devices.length === 0 ? "no device is registered" : statusTable(devices));
	});
}

async function devicesOf(server: ServerClient, deviceId: string | undefined): Promise<DeviceLine[]> {
	if (deviceId !== undefined)
		return [
			{ ...(await server.status(deviceId)), isDecommissioned: await server.isDecommissioned(deviceId) },
		];
	const statuses = await server.statuses();
	const decommissioned = await server.decommissioned();
	return statuses.map((status) => ({ ...status, isDecommissioned: decommissioned.has(status.deviceId) }));
}
