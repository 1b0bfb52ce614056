// What a device is told about the place it stands in: its Wi-Fi, its name on the local network, its LED, its time
// server (docs/protocol.md §12). Optional fields of the identity; read and written by identity.ts. It must not know how a
// network is joined.

import { utf8Encode } from "./encoding.js";
import { FotaError } from "./error-codes.js";
import type { JsonFields } from "./json.js";

export interface WifiSettings {
	/** Name of the network: 1 to 32 bytes of UTF-8. */
	readonly ssid: string;
	/** Empty for an open network, else the WPA passphrase: 8 to 63 printable ASCII characters. A secret. */
	readonly password: string;
}

export interface LedSettings {
	/** GPIO number, 0 to 48. */
	readonly pin: number;
	/** The level that lights it. */
	readonly active: "high" | "low";
}

export interface Surroundings {
	/** Absent: the network comes by a cable. */
	readonly wifi?: WifiSettings;
	/** One label of RFC 1123, at most 63 characters. Absent: made from the device id. */
	readonly hostname?: string;
	/** Absent: no LED. */
	readonly led?: LedSettings;
	/** Time server, a name or an IPv4 address. Absent: the log shows no time of day. */
	readonly ntp?: string;
	/** Whether the device takes updates pushed over the local network. Absent: yes. */
	readonly push?: boolean;
}

export const HOST_PATTERN = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/;
export const HOSTNAME_PATTERN = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
export const HOSTNAME_MAX_CHARS = 63;
const SSID_MAX_BYTES = 32;
const PASSWORD_PATTERN = /^[\x20-\x7e]{8,63}$/;
const PIN_MAX = 48;
const CODE = "storage-failed";

/** Throws `storage-failed`. */
export function parseSurroundings(fields: JsonFields): Surroundings {
	const wifi = fields.optionalObject("wifi");
	const hostname = fields.optionalString("hostname", HOSTNAME_MAX_CHARS, HOSTNAME_PATTERN);
	const led = fields.optionalObject("led");
	const ntp = fields.optionalString("ntp", 253, HOST_PATTERN);
	const push = fields.optionalBoolean("push");
	return {
		...(wifi && { wifi: parseWifi(wifi) }),
		...(hostname !== undefined && { hostname }),
		...(led && {
			led: { pin: led.integer("pin", 0, PIN_MAX), active: led.oneOf("active", ["high", "low"]) },
		}),
		...(ntp !== undefined && { ntp }),
		...(push !== undefined && { push }),
	};
}

function parseWifi(fields: JsonFields): WifiSettings {
	const ssid = fields.string("ssid", SSID_MAX_BYTES);
	if (utf8Encode(ssid).length > SSID_MAX_BYTES)
		throw new FotaError(CODE, `wifi.ssid has more than ${SSID_MAX_BYTES} bytes`);
	const isOpen = !fields.has("password") || fields.isEmptyString("password");
	return { ssid, password: isOpen ? "" : fields.string("password", 63, PASSWORD_PATTERN) };
}

/** The fields of the JSON document; what is absent stays so. */
export function encodeSurroundings(surroundings: Surroundings): object {
	const { wifi, hostname, led, ntp, push } = surroundings;
	return {
		...(wifi && { wifi: { ssid: wifi.ssid, password: wifi.password } }),
		...(hostname !== undefined && { hostname }),
		...(led && { led: { pin: led.pin, active: led.active } }),
		...(ntp !== undefined && { ntp }),
		...(push !== undefined && { push }),
	};
}

/** The device's name on the local network: as told, else its id with what a host name cannot have made to "-". */
export function hostnameOf(identity: { readonly deviceId: string; readonly hostname?: string }): string {
	if (identity.hostname !== undefined) return identity.hostname;
	const name = identity.deviceId.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
	return name === "" ? "device" : name;
}
