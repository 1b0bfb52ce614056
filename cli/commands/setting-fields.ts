// The settings that `fota settings` shows and changes: the options of `fota provision` by the same names, each with its
// place in the identity (docs/protocol.md §12). Called by settings.ts. It must not know where an identity lies.
import { InvalidArgumentError } from "commander";
import { utf8Decode, utf8Encode } from "../../src/protocol/encoding.js";
import type { Identity } from "../../src/protocol/identity.js";
import { hostnameOf } from "../../src/protocol/surroundings.js";
import { CliError } from "../cli-error.js";
import { parseCount, parsePort } from "./arguments.js";
import { parseHost, parseHostname } from "./surroundings-options.js";

type Value = string | number | boolean;

export interface SettingField {
	/** As the option of provision. */
	readonly name: string;
	/** Its place in the identity's document. */
	readonly path: readonly [group: string, name: string] | readonly [name: string];
	/** Throws InvalidArgumentError. Ranges are the identity's own to check. */
	readonly parse: (text: string) => Value;
	/** Taken away with it. Default: the field alone, so that its default counts; "nothing": it cannot be. */
	readonly unset?: "group" | "nothing";
	/** For people; of a secret only whether it is set. */
	readonly show: (identity: Identity) => string;
	/** Its value never comes from the command line. */
	readonly isSecret?: true;
}

const asText = (text: string) => text;

export const PASSWORD_FIELD: SettingField = {
	name: "wifi-password",
	path: ["wifi", "password"],
	parse: asText,
	isSecret: true,
	show: ({ wifi }) => (wifi === undefined || wifi.password === "" ? "not set" : "set"),
};

export const SETTING_FIELDS: readonly SettingField[] = [
	{
		name: "host",
		path: ["server", "host"],
		parse: parseHost,
		unset: "nothing",
		show: ({ server }) => server.host,
	},
	{
		name: "port",
		path: ["server", "port"],
		parse: parsePort,
		unset: "nothing",
		show: ({ server }) => String(server.port),
	},
	{
		name: "wifi-ssid",
		path: ["wifi", "ssid"],
		parse: asText,
		unset: "group",
		show: ({ wifi }) => wifi?.ssid ?? "none",
	},
	PASSWORD_FIELD,
	{ name: "hostname", path: ["hostname"], parse: parseHostname, show: hostnameOf },
	{
		name: "led-pin",
		path: ["led", "pin"],
		parse: parseCount,
		unset: "group",
		show: ({ led }) => String(led?.pin ?? "none"),
	},
	{
		name: "led-active",
		path: ["led", "active"],
		parse: choice("high", "low"),
		unset: "nothing",
		show: ({ led }) => led?.active ?? "none",
	},
	{ name: "ntp", path: ["ntp"], parse: parseHost, show: ({ ntp }) => ntp ?? "none" },
	{ name: "push", path: ["push"], parse: parseYes, show: ({ push }) => (push === false ? "no" : "yes") },
	count("poll-seconds", "poll_s", "pollSeconds"),
	count("report-seconds", "report_s", "reportSeconds"),
	count("chunk-size", "chunk_size", "chunkBytes"),
	count("chunks-per-interval", "chunks_per_interval", "chunksPerInterval"),
	count("interval-ms", "interval_ms", "intervalMs"),
	count("confirm-seconds", "confirm_s", "confirmSeconds"),
	{
		name: "rollback-to",
		path: ["settings", "rollback_to"],
		parse: choice("previous", "factory"),
		show: ({ settings }) => settings.rollbackTo,
	},
];

function count(name: string, field: string, of: keyof Identity["settings"]): SettingField {
	return {
		name,
		path: ["settings", field],
		parse: parseCount,
		show: ({ settings }) => String(settings[of]),
	};
}

function choice(...values: readonly string[]): (text: string) => string {
	return (text) => {
		if (!values.includes(text)) throw new InvalidArgumentError(`One of ${values.join(", ")}.`);
		return text;
	};
}

function parseYes(text: string): boolean {
	return choice("yes", "no")(text) === "yes";
}

export interface SettingEdit {
	readonly field: SettingField;
	/** Undefined: it is to be unset. */
	readonly value: Value | undefined;
}

/** `fields` and what stands beside them in the document are not changed by anything else. */
export function applyEdits(document: Uint8Array, edits: readonly SettingEdit[]): Uint8Array {
	const fields = JSON.parse(utf8Decode(document) ?? "{}") as Record<string, unknown>;
	for (const edit of edits) applyEdit(fields, edit);
	completeGroups(fields);
	return utf8Encode(JSON.stringify(fields));
}

type Group = Record<string, unknown>;

function applyEdit(fields: Group, { field, value }: SettingEdit): void {
	const [first, second] = field.path;
	if (value === undefined && (second === undefined || field.unset === "group")) delete fields[first];
	else if (second === undefined) fields[first] = value;
	else {
		const group = { ...(fields[first] as Group | undefined) };
		if (value === undefined) delete group[second];
		else group[second] = value;
		if (Object.keys(group).length > 0) fields[first] = group;
		else delete fields[first];
	}
}

/** What provision asks for together stays together. */
function completeGroups(fields: Group): void {
	const led = fields.led as Group | undefined;
	if (led !== undefined) fields.led = { active: "high", ...led };
	const wifi = fields.wifi as Group | undefined;
	if (wifi !== undefined && wifi.ssid === undefined)
		throw new CliError("which Wi-Fi?", { hint: "Name it with --set wifi-ssid=NAME." });
}

/** "server=HOST:PORT" is both of its fields. Throws CliError, in which no value of a secret stands. */
export function parseEdits(set: readonly string[], unset: readonly string[]): readonly SettingEdit[] {
	const edits = [...set.flatMap(parseSet), ...unset.map(parseUnset)];
	const names = edits.map(({ field }) => field.name);
	const twice = names.find((name, index) => names.indexOf(name) !== index);
	if (twice !== undefined) throw new CliError(`${twice} is named twice`);
	return edits;
}

function parseSet(text: string): readonly SettingEdit[] {
	const at = text.indexOf("=");
	const name = at < 0 ? text : text.slice(0, at);
	const value = at < 0 ? undefined : text.slice(at + 1);
	if (name === "server" && value !== undefined) return parseServer(value);
	const field = findField(name);
	if (field.isSecret) {
		// Threat: it would stand in the shell's history and in every list of processes.
		if (value !== undefined)
			throw new CliError(`${name} is not taken from the command line`, {
				hint: `Say --set ${name}; it is asked for. What was typed now stands in the shell's history.`,
			});
		return [{ field, value: "" }];
	}
	if (value === undefined || value === "")
		throw new CliError(`${name} to what?`, { hint: `Say --set ${name}=VALUE, or --unset ${name}.` });
	return [{ field, value: parseValue(field, value) }];
}

function parseServer(text: string): readonly SettingEdit[] {
	const [host = "", ...rest] = text.split(":");
	const port = rest.length === 0 ? [] : parseSet(`port=${rest.join(":")}`);
	return [...parseSet(`host=${host}`), ...port];
}

function parseValue(field: SettingField, text: string): Value {
	try {
		return field.parse(text);
	} catch (cause) {
		if (!(cause instanceof InvalidArgumentError)) throw cause;
		throw new CliError(`${field.name} cannot be that`, { hint: cause.message });
	}
}

function parseUnset(name: string): SettingEdit {
	const field = findField(name);
	if (field.unset === "nothing") throw new CliError(`a device cannot be without ${name}`);
	return { field, value: undefined };
}

/** What the server knows as well, or what decides whom the device trusts. */
const FIXED: Readonly<Record<string, string>> = {
	"device-id": "the server knows the device by it",
	"device-key": "the server must have the same one",
	"device-type": "the server was told it as well",
	"release-key": "it decides which firmware the device trusts",
};

function findField(name: string): SettingField {
	const field = SETTING_FIELDS.find((candidate) => candidate.name === name);
	if (field !== undefined) return field;
	const reason = FIXED[name];
	if (reason !== undefined)
		throw new CliError(`${name} is not changed here: ${reason}`, {
			hint: "fota provision --identity-only makes a new identity, fota flash --identity writes it.",
		});
	throw new CliError("there is no such setting", {
		hint: `There are server, ${SETTING_FIELDS.map((candidate) => candidate.name).join(", ")}.`,
	});
}
