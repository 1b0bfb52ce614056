// `fota settings`: shows the settings of a device, and changes some without the others being known, in its flash over USB or
// in a file.
import { Command, Option } from "commander";
import { FotaError } from "../../src/protocol/error-codes.js";
import { type Identity, parseIdentity } from "../../src/protocol/identity.js";
import type { StoredIdentity } from "../../src/protocol/identity-partition.js";
import { CliError } from "../cli-error.js";
import { changeIdentity, type IdentityPlace, readIdentity } from "../device/identity-flash.js";
import { publicKeyId } from "../release/release-key.js";
import { printable } from "../render/device-table.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount } from "./arguments.js";
import {
	applyEdits,
	PASSWORD_FIELD,
	parseEdits,
	SETTING_FIELDS,
	type SettingEdit,
} from "./setting-fields.js";
import { type SettingsSource, withIdentityPlace } from "./settings-source.js";
import { askWifiPassword, WIFI_PASSWORD_VARIABLE } from "./wifi-password.js";

interface SettingsOptions extends SettingsSource {
	readonly set?: readonly string[];
	readonly unset?: readonly string[];
	readonly wifiPasswordFile?: string;
	readonly keepPassword?: boolean;
}

export function settingsCommand(shell: Shell): Command {
	return new Command("settings")
		.summary("show or change what a device was told by cable")
		.description(
			"Shows the settings of a device, secrets only as set or not, and changes those that are named; all else stays, " +
				"the key of the device among it. A loss of power in between leaves the old settings or the new ones. The " +
				`board restarts, also when it is only looked at. Settings: server (HOST:PORT), ${SETTING_FIELDS.map(({ name }) => name).join(", ")}.`,
		)
		.optionsGroup("Whose, one of these:")
		.option("--port <path>", "serial port of the board, such as /dev/ttyUSB0")
		.option(
			"--image <file>",
			"an identity (fota provision --identity-only) or the flash of a device, as a file",
		)
		.optionsGroup("What to change:")
		.option(
			"--set <name=value...>",
			"as fota provision takes it; push=yes or no; wifi-password has no value here",
		)
		.option("--unset <name...>", "back to its default: no Wi-Fi, an open one, no LED, no time server")
		.option(
			"--wifi-password-file <file>",
			`its first line is the password; else it comes from ${WIFI_PASSWORD_VARIABLE}, or is asked for without showing it`,
		)
		.option("--keep-password", "another wifi-ssid has the same password; else the new one is asked for")
		.optionsGroup("The board:")
		.option("--baud <rate>", "speed", parseCount, 115_200)
		.addOption(
			new Option("--before <way>", "how the chip gets ready, as for fota flash")
				.choices(["default", "usb", "no-reset"])
				.default("default"),
		)
		.option("--no-restart", "leave the chip as it is at the end")
		.option("--verbose", "print what the loader says")
		.action((options: SettingsOptions) => settings(options, shell));
}

async function settings(options: SettingsOptions, shell: Shell): Promise<void> {
	const edits = parseEdits(options.set ?? [], options.unset ?? []);
	await withIdentityPlace({ ...options, isChange: edits.length > 0 }, shell, async (place) => {
		const found = await readIdentity(place, (text) => printLine(shell.stderr, `fota: ${printable(text)}`));
		if (edits.length === 0) showSettings(found, shell);
		else await change(place, { found, edits, options, shell });
	});
}

function showSettings({ identity, sequence }: StoredIdentity, shell: Shell): void {
	printLine(shell.stdout, `settings of ${identity.deviceId} (identity ${sequence})`);
	printFacts(shell.stdout, {
		"device-type": identity.deviceType,
		"device-key": "set",
		"release-key": identity.releaseKeys.map(publicKeyId).join(", "),
		...shownSettings(identity),
	});
}

/** Threat: a text from the flash that moves the terminal's cursor. */
function shownSettings(identity: Identity): Record<string, string> {
	return Object.fromEntries(SETTING_FIELDS.map(({ name, show }) => [name, printable(show(identity))]));
}

interface Change {
	readonly found: StoredIdentity;
	readonly edits: readonly SettingEdit[];
	readonly options: SettingsOptions;
	readonly shell: Shell;
}

async function change(place: IdentityPlace, { found, edits, options, shell }: Change): Promise<void> {
	const draft = applyEdits(found.document, edits);
	const document = applyEdits(draft, await secretEdits(draft, { found, edits, options, shell }));
	const differences = differencesOf(found.identity, checked(document));
	if (Object.keys(differences).length === 0) {
		printLine(shell.stdout, `${found.identity.deviceId} has these settings already; nothing was written`);
		return;
	}
	printLine(shell.stdout, `${found.identity.deviceId}:`);
	printFacts(shell.stdout, differences);
	const written = await changeIdentity(place, found, document);
	printLine(shell.stdout, `written and verified: identity ${written.sequence}`);
}

/** The password is asked for once everything else is known to be right. */
async function secretEdits(
	draft: Uint8Array,
	{ found, edits, options, shell }: Change,
): Promise<readonly SettingEdit[]> {
	const { wifi } = checked(draft);
	const before = found.identity.wifi;
	const named = edits.find(({ field }) => field === PASSWORD_FIELD);
	if (options.keepPassword && (named !== undefined || before === undefined))
		throw new CliError("there is no password to keep", { hint: "Leave --keep-password out." });
	if (wifi === undefined) {
		if (named?.value === undefined) return [];
		throw new CliError("which Wi-Fi?", { hint: "It was unset just now." });
	}
	// Another network has another password: with the old one the device would be off the air.
	const isAsked =
		named === undefined ? !options.keepPassword && wifi.ssid !== before?.ssid : named.value !== undefined;
	if (!isAsked) return [];
	const source = { ssid: wifi.ssid, isOpen: false, file: options.wifiPasswordFile, openHint: OPEN_HINT };
	return [{ field: PASSWORD_FIELD, value: await askWifiPassword(source, shell) }];
}

const OPEN_HINT =
	"Say --unset wifi-password if the network has none, --keep-password if it is the one before.";

function checked(document: Uint8Array): Identity {
	try {
		return parseIdentity(document);
	} catch (cause) {
		if (!(cause instanceof FotaError)) throw cause;
		throw new CliError(`a device would not take this: ${cause.message}`);
	}
}

function differencesOf(before: Identity, after: Identity): Record<string, string> {
	const old = shownSettings(before);
	const differences: Record<string, string> = {};
	for (const [name, text] of Object.entries(shownSettings(after)))
		if (old[name] !== text) differences[name] = `${old[name]} → ${text}`;
	const isOther = before.wifi?.password !== after.wifi?.password;
	if (isOther && differences["wifi-password"] === undefined) differences["wifi-password"] = "set → set anew";
	return differences;
}
