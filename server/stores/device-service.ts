// A device goes out of service, comes back, or is another board under the same name: what that means for its orders, its
// update under way and its rollouts. Within the transaction of the route that asks for it.
import { FotaError } from "../../src/protocol/error-codes.js";
import { COUNTER_MAX } from "../../src/protocol/limits.js";
import { isThrough } from "../domain/rollout-offer.js";
import { MEMBER_STATUSES } from "../domain/rollout-plan.js";
import { isOpen } from "../domain/update-history.js";
import { findDevice, type Registration, registerDevice } from "./device-store.js";
import { changeDevice, forgetSlots } from "./fleet-store.js";
import { lockDevice } from "./locks.js";
import { supersedeUpdate } from "./record-update.js";
import { finishOrders } from "./rollback-order-store.js";
import { forgetMemberships, reopenMemberships } from "./rollout-member-store.js";
import { reopenOrders } from "./settle-rollouts.js";
import { forgetReportNonce, forgetStatus } from "./status-store.js";
import type { DeviceRow, Records } from "./tables.js";
import { findLatestUpdate } from "./update-store.js";

/** Its requests are refused from now on; orders and the update under way end, the history stays. */
export async function decommission(db: Records, deviceId: string, nowMs: number): Promise<DeviceRow> {
	await lockDevice(db, deviceId);
	await endAffairs(db, deviceId, nowMs);
	await db
		.updateTable("rollout_devices")
		.set({ status: "aborted", finished_at_ms: nowMs, lease_until_ms: null, next_try_at_ms: null })
		.where("device_id", "=", deviceId)
		.where(
			"status",
			"in",
			MEMBER_STATUSES.filter((status) => !isThrough(status)),
		)
		.execute();
	return changeDevice(db, deviceId, { decommissioned_at_ms: nowMs });
}

/** Back in service; rollouts that go on may offer it their release again, those that were stopped order it back. */
export async function reinstate(db: Records, deviceId: string, nowMs: number): Promise<DeviceRow> {
	await lockDevice(db, deviceId);
	await reopenMemberships(db, deviceId, nowMs);
	await reopenOrders(db, deviceId);
	return changeDevice(db, deviceId, { decommissioned_at_ms: null });
}

export interface RegisterOptions {
	/** A derived key that was not used before, where the device was registered already. */
	readonly isNewKey: boolean;
	/** Hex. */
	readonly keyOf: (row: DeviceRow) => string;
}

export interface Registered {
	readonly row: DeviceRow;
	readonly isNew: boolean;
	readonly isKeyReplaced: boolean;
}

/** Throws `device-decommissioned`. */
export async function register(
	db: Records,
	registration: Registration,
	{ isNewKey, keyOf }: RegisterOptions,
): Promise<Registered> {
	const { deviceId, nowMs } = registration;
	await lockDevice(db, deviceId);
	const before = await findDevice(db, deviceId);
	// Threat: a board taken out of service for a key that got out would be let in again by the way.
	if (before !== undefined && before.decommissioned_at_ms !== null)
		throw new FotaError("device-decommissioned", "reinstate the device first");
	const written = await registerDevice(db, registration);
	if (before === undefined) return { row: written, isNew: true, isKeyReplaced: false };
	// Threat: the derived key that it had before one was imported, which may be why one was.
	const isImportDropped = before.device_key !== null && written.device_key === null;
	const row =
		isNewKey || isImportDropped ? await replaceKey(db, deviceId, { deviceKeyHex: undefined }) : written;
	const isKeyReplaced = keyOf(before) !== keyOf(row);
	// An order is not meant for a board that was just written by cable, whichever it is.
	await endAffairs(db, deviceId, nowMs);
	if (isKeyReplaced || before.device_type !== row.device_type) await forgetBoard(db, deviceId);
	return { row, isNew: false, isKeyReplaced };
}

// Another board has the name now: what was known of the one before does not hold for it.
async function forgetBoard(db: Records, deviceId: string): Promise<void> {
	await forgetMemberships(db, deviceId);
	await forgetSlots(db, deviceId);
	await forgetStatus(db, deviceId);
}

export interface NewKey {
	/** To be imported, hex; undefined: derived, one that was not used before. */
	readonly deviceKeyHex: string | undefined;
}

/** The old key is worth nothing from now on (threat: a key that got out). */
export async function replaceKey(
	db: Records,
	deviceId: string,
	{ deviceKeyHex }: NewKey,
): Promise<DeviceRow> {
	if (deviceKeyHex !== undefined) return changeDevice(db, deviceId, { device_key: deviceKeyHex });
	// Under a key that was never used no old request is right, so nonces may begin anew: the way out for a device whose
	// nonce went astray. Not at 0, which would let it in without a MAC where its type may.
	const row = await db
		.updateTable("devices")
		.set((update) => ({
			device_key: null,
			key_generation: update("key_generation", "+", 1),
			last_nonce: update.case().when("last_nonce", ">", 0).then(1).else(0).end(),
			stale_nonce_count: 0,
		}))
		.where("device_id", "=", deviceId)
		.returningAll()
		.executeTakeFirstOrThrow();
	await forgetReportNonce(db, deviceId);
	return row;
}

async function endAffairs(db: Records, deviceId: string, nowMs: number): Promise<void> {
	await finishOrders(db, { deviceId, orderId: COUNTER_MAX, nowMs });
	const latest = await findLatestUpdate(db, deviceId);
	if (latest !== undefined && isOpen(latest.status)) await supersedeUpdate(db, latest, nowMs);
}
