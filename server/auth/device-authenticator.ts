// Who is this request from? (docs/protocol.md §3) Answers with a value; the device routes turn it into HTTP.
import {
	DEVICE_ID_PATTERN,
	type DeviceAuthorization,
	parseAuthorization,
} from "../../src/protocol/device-auth.js";
import { COUNTER_MAX, NONCE_STEP_MAX } from "../../src/protocol/limits.js";
import { countStaleNonce, findDevice, noteLegacyContact } from "../stores/device-store.js";
import type { NonceTaker } from "../stores/nonce-queue.js";
import type { DeviceRow, Records } from "../stores/tables.js";
import { deviceKeyOf, isRequestAuthentic, sha256Hex } from "./device-keys.js";

export interface AuthenticatorTools {
	readonly db: Records;
	readonly takeNonce: NonceTaker;
	readonly masterKey: Uint8Array;
	/** Device types whose devices may come without a MAC. */
	readonly legacyDeviceTypes: ReadonlySet<string>;
	readonly nowMs: () => number;
}

export interface DeviceRequest {
	readonly method: string;
	/** Path with query, as on the request line. */
	readonly target: string;
	readonly body: Uint8Array;
	readonly authorization: string | undefined;
	/** The `Device-ID` header of old devices, or what stands in its place (docs/protocol.md §17). */
	readonly legacyDeviceId: string | undefined;
}

/** A device that is let in, or (a stale nonce) at least known to have made the request once. */
export interface Caller {
	readonly device: DeviceRow;
	readonly deviceKey: Uint8Array;
	/** The request's nonce; undefined for an old device, whose answers carry no MAC. */
	readonly nonce: number | undefined;
}

export type Authentication =
	| { readonly kind: "accepted"; readonly caller: Caller }
	| {
			readonly kind: "stale";
			readonly caller: Caller;
			readonly nextNonce: number;
			/** True when the device did not take the next nonce it was told: somebody repeats an old request. */
			readonly isRepeated: boolean;
	  }
	| {
			readonly kind: "refused";
			readonly code: "auth-missing" | "auth-failed";
			/** For the log, not for the answer. */
			readonly cause: string;
			readonly deviceId: string | undefined;
	  };

export async function authenticate(
	tools: AuthenticatorTools,
	request: DeviceRequest,
): Promise<Authentication> {
	if (request.authorization === undefined) return authenticateLegacy(tools, request.legacyDeviceId);
	const claimed = parseAuthorization(request.authorization);
	if (claimed === undefined) return refused("malformed authorization", undefined);
	const device = await findDevice(tools.db, claimed.deviceId);
	// An unknown device costs the same work, so that the time of the answer does not tell who is registered.
	const unknown = { device_id: claimed.deviceId, device_key: null, key_generation: 0 };
	const key = deviceKeyOf(tools.masterKey, device ?? unknown);
	const isAuthentic = isRequestAuthentic(
		key,
		{
			method: request.method,
			target: request.target,
			nonce: claimed.nonce,
			bodyHash: sha256Hex(request.body),
		},
		claimed.mac,
	);
	if (device === undefined) return refused("unknown device", claimed.deviceId);
	if (!isAuthentic) return refused("wrong mac", claimed.deviceId);
	if (device.decommissioned_at_ms !== null) return refused("decommissioned", claimed.deviceId);
	return takeTurn(tools, { device, deviceKey: key, nonce: claimed.nonce }, claimed);
}

// Only behind a right MAC: nobody else can use up a device's nonces.
async function takeTurn(
	tools: AuthenticatorTools,
	caller: Caller,
	claimed: DeviceAuthorization,
): Promise<Authentication> {
	const { deviceId, nonce } = claimed;
	// Threat: a key that got out, or a fault, that takes the device to the last nonce there is: nothing could follow it.
	if (nonce - caller.device.last_nonce > NONCE_STEP_MAX) return refused("nonce too far ahead", deviceId);
	if (await tools.takeNonce({ deviceId, nonce, nowMs: tools.nowMs() })) return { kind: "accepted", caller };
	const { lastNonce, staleCount } = await countStaleNonce(tools.db, deviceId);
	const nextNonce = Math.min(lastNonce + 1, COUNTER_MAX);
	return { kind: "stale", caller, nextNonce, isRepeated: staleCount > 1 };
}

/**
 * A device that ever proved itself with a MAC is never let in without one: its key must not be avoidable (threat:
 * downgrade to the old protocol).
 */
async function authenticateLegacy(
	tools: AuthenticatorTools,
	deviceId: string | undefined,
): Promise<Authentication> {
	if (deviceId === undefined)
		return { kind: "refused", code: "auth-missing", cause: "no credential", deviceId: undefined };
	if (!DEVICE_ID_PATTERN.test(deviceId)) return refused("malformed Device-ID", undefined);
	const device = await findDevice(tools.db, deviceId);
	if (device === undefined) return refused("unknown device", deviceId);
	if (!tools.legacyDeviceTypes.has(device.device_type)) return refused("needs a mac", deviceId);
	if (device.decommissioned_at_ms !== null) return refused("decommissioned", deviceId);
	if (!(await noteLegacyContact(tools.db, deviceId, tools.nowMs())))
		return refused("has used a mac before", deviceId);
	return {
		kind: "accepted",
		caller: { device, deviceKey: deviceKeyOf(tools.masterKey, device), nonce: undefined },
	};
}

function refused(cause: string, deviceId: string | undefined): Authentication {
	return { kind: "refused", code: "auth-failed", cause, deviceId };
}
