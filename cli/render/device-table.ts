// Devices and log events as lines of text. What devices wrote is shown without control characters.
import type { DeviceStatus, LogEvent } from "../server/server-client.js";
import { formatTable } from "./text.js";

export interface DeviceLine extends DeviceStatus {
	/** Taken out of service: whatever it reported before, the server talks to it no more. */
	readonly isDecommissioned: boolean;
}

export function statusTable(devices: readonly DeviceLine[]): string {
	const rows = devices.map((device) => [
		device.deviceId,
		device.version ?? "–",
		device.slot ?? "–",
		stateOf(device),
		device.lastSeen ?? "never",
		lastTrouble(device),
	]);
	return formatTable(["device", "version", "slot", "state", "last seen", "last trouble"], rows);
}

/** What went wrong last, or that the device went back as it was told to; nothing once an update was completed after it. */
function lastTrouble({ lastError }: DeviceStatus): string {
	if (lastError === undefined) return "";
	const { code, message } = lastError;
	return `${code === "rollback-requested" ? "rolled back as ordered" : code}: ${printable(message)}`;
}

function stateOf({ isDecommissioned, state, progress, targetVersion }: DeviceLine): string {
	if (isDecommissioned) return "decommissioned";
	if (state === undefined) return "never reported";
	if (state !== "DOWNLOADING" || progress === undefined) return state;
	return `${state} ${targetVersion ?? ""} ${progress} %`;
}

export function eventLine(event: LogEvent): string {
	const details = Object.entries(event.details)
		.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
		.join(" ");
	return printable(`${event.time}  ${event.deviceId ?? "–"}  ${event.type}  ${details}`.trimEnd());
}

/** Threat: a device's text that moves the terminal's cursor or starts an escape sequence. */
export function printable(text: string): string {
	return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}
