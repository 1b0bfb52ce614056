// Finds a device's id and key in a file: the small JSON of `fota provision --device-file`, its identity partition, or the
// flash of a simulated board. Called by `fota push` and provision. It must not print: the key is a secret.
import { readFile } from "node:fs/promises";
import { hexDecode, hexEncode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { IDENTITY_PARTITION, IDENTITY_SECTORS, type Identity } from "../../src/protocol/identity.js";
import { findIdentity } from "../../src/protocol/identity-partition.js";
import { parseJsonObject } from "../../src/protocol/json.js";
import { IDENTITY_MAX_BYTES, KEY_BYTES, SECTOR_BYTES } from "../../src/protocol/limits.js";
import { CliError } from "../cli-error.js";
import { partitionBytes } from "../image/flash-image.js";

export type DeviceSecret = Pick<Identity, "deviceId" | "deviceKey">;

export function encodeDeviceFile(device: DeviceSecret & Pick<Identity, "deviceType">): string {
	const { deviceId, deviceType, deviceKey } = device;
	const fields = { device_id: deviceId, device_type: deviceType, device_key: hexEncode(deviceKey) };
	return `${JSON.stringify(fields, undefined, "\t")}\n`;
}

/** Throws CliError; its message never holds any of the file's content. */
export async function readDeviceFile(path: string): Promise<DeviceSecret> {
	const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
		throw new CliError(`${path} cannot be read: ${cause.code}`, { hint: HINT, cause });
	});
	try {
		return bytes[0] === 0x7b ? fromJson(bytes) : fromPartition(identityBytes(bytes));
	} catch (cause) {
		if (!(cause instanceof FotaError || cause instanceof RangeError)) throw cause;
		throw new CliError(`${path} holds no device's key`, { hint: HINT });
	}
}

const HINT = "Give what fota provision wrote for this device: --device-file, --identity-only or --image.";

function fromJson(bytes: Uint8Array): DeviceSecret {
	const fields = parseJsonObject(bytes, { maxBytes: IDENTITY_MAX_BYTES, code: "storage-failed" });
	const deviceKey = hexDecode(fields.string("device_key", 2 * KEY_BYTES), KEY_BYTES);
	if (deviceKey === undefined) throw new FotaError("storage-failed", "no key");
	return { deviceId: fields.string("device_id", 32), deviceKey };
}

function identityBytes(bytes: Uint8Array): Uint8Array {
	if (bytes.length === IDENTITY_SECTORS * SECTOR_BYTES) return bytes;
	try {
		return partitionBytes(bytes, IDENTITY_PARTITION);
	} catch (cause) {
		throw new FotaError("storage-failed", "no partition table", { cause });
	}
}

function fromPartition(bytes: Uint8Array): DeviceSecret {
	const found = findIdentity({
		read: (index) => bytes.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
		onUnusable: () => {},
	});
	if (found === undefined) throw new FotaError("storage-failed", "no identity");
	return found.identity;
}
