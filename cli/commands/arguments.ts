// Parsers for option values, used by all commands: a wrong value is refused before anything is done.
import { InvalidArgumentError } from "commander";
import { NAME_PATTERN } from "../../src/protocol/json.js";
import { UINT32_MAX } from "../../src/protocol/limits.js";
import { CHIPS, type Chip } from "../../src/protocol/release-statement.js";
import { isVersion } from "../../src/protocol/version.js";

export function parseVersion(text: string): string {
	if (!isVersion(text))
		throw new InvalidArgumentError("Not a semantic version such as 1.2.3 (31 characters at most).");
	return text;
}

export function parseChip(text: string): Chip {
	const chip = CHIPS.find((name) => name === text);
	if (!chip) throw new InvalidArgumentError(`One of ${CHIPS.join(", ")}.`);
	return chip;
}

export function parseName(text: string): string {
	if (!NAME_PATTERN.test(text))
		throw new InvalidArgumentError("Up to 32 letters, digits, dots, hyphens and underscores.");
	return text;
}

export function parseCount(text: string): number {
	if (!/^[0-9]{1,10}$/.test(text) || Number(text) > UINT32_MAX)
		throw new InvalidArgumentError("A whole number from 0 to 4294967295.");
	return Number(text);
}

export function parsePort(text: string): number {
	const port = parseCount(text);
	if (port < 1 || port > 65_535) throw new InvalidArgumentError("A port from 1 to 65535.");
	return port;
}

/** Bytes, with k or m for KiB and MiB. */
export function parseBytes(text: string): number {
	const match = /^([0-9]{1,8})([km]?)$/i.exec(text);
	if (!match) throw new InvalidArgumentError("A length such as 65536, 1040k or 1m.");
	const unit = { k: 1024, m: 1024 * 1024 }[match[2]?.toLowerCase() ?? ""] ?? 1;
	return Number(match[1]) * unit;
}

export function parseServerUrl(text: string): URL {
	if (!URL.canParse(text) || !/^https?:\/\//.test(text))
		throw new InvalidArgumentError("An address such as http://localhost:8080.");
	return new URL(text);
}

/** Unix seconds, or a date that JavaScript reads. */
export function parseTime(text: string): number {
	const seconds = /^[0-9]+$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000);
	if (!Number.isSafeInteger(seconds) || seconds < 0)
		throw new InvalidArgumentError("Unix seconds, or a date such as 2026-01-31T12:00:00Z.");
	return seconds;
}
