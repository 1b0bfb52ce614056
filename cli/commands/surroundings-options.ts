// The options of `fota provision` for the place a device stands in: Wi-Fi, host name, LED, time server. Called by
// provision.ts. It must not know how they are written.
import { type Command, InvalidArgumentError, Option } from "commander";
import {
	HOST_PATTERN,
	HOSTNAME_PATTERN,
	type LedSettings,
	type Surroundings,
} from "../../src/protocol/surroundings.js";
import { CliError } from "../cli-error.js";
import type { Shell } from "../shell.js";
import { parseCount } from "./arguments.js";
import { askWifiPassword, WIFI_PASSWORD_VARIABLE } from "./wifi-password.js";

export interface SurroundingsOptions {
	readonly wifiSsid?: string;
	readonly wifiPasswordFile?: string;
	readonly wifiOpen?: boolean;
	readonly hostname?: string;
	readonly ledPin?: number;
	readonly ledActive: LedSettings["active"];
	readonly ntp?: string;
	/** False with --no-push. */
	readonly push: boolean;
}

export function withSurroundingsOptions(command: Command): Command {
	return command
		.optionsGroup("The place it stands in:")
		.option(
			"--wifi-ssid <name>",
			`Wi-Fi it joins; the password comes from --wifi-password-file, from ${WIFI_PASSWORD_VARIABLE}, or is asked for without showing it, never from the command line`,
		)
		.option("--wifi-password-file <file>", "its first line is the password")
		.option("--wifi-open", "the Wi-Fi has no password")
		.option("--hostname <name>", "its name on the local network; default: from the device id", parseHostname)
		.option("--led-pin <gpio>", "GPIO of the LED that shows updates", parseCount)
		.addOption(
			new Option("--led-active <level>", "level that lights it").choices(["high", "low"]).default("high"),
		)
		.option("--ntp <host>", "time server, for the time of day in its log", parseHost)
		.option("--no-push", "takes no updates over the local network");
}

/** Asks for the password where it must. */
export async function surroundingsFrom(options: SurroundingsOptions, shell: Shell): Promise<Surroundings> {
	const { wifiSsid: ssid, hostname, ledPin: pin, ntp } = options;
	if (ssid === undefined && (options.wifiPasswordFile !== undefined || options.wifiOpen))
		throw new CliError("which Wi-Fi?", { hint: "Name it with --wifi-ssid." });
	const password =
		ssid === undefined
			? ""
			: await askWifiPassword(
					{
						ssid,
						isOpen: options.wifiOpen === true,
						file: options.wifiPasswordFile,
						openHint: "Say --wifi-open if the network has none.",
					},
					shell,
				);
	return {
		...(ssid !== undefined && { wifi: { ssid, password } }),
		...(hostname !== undefined && { hostname }),
		...(pin !== undefined && { led: { pin, active: options.ledActive } }),
		...(ntp !== undefined && { ntp }),
		...(options.push ? {} : { push: false }),
	};
}

export function parseHost(text: string): string {
	const isAddressLike = /^[0-9.]+$/.test(text);
	const isAddress = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/.test(text);
	if (!HOST_PATTERN.test(text) || (isAddressLike && !isAddress))
		throw new InvalidArgumentError("A name such as updates.example.com, or an IPv4 address.");
	return text;
}

export function parseHostname(text: string): string {
	if (!HOSTNAME_PATTERN.test(text))
		throw new InvalidArgumentError("Up to 63 letters, digits and hyphens, no hyphen at either end.");
	return text;
}
