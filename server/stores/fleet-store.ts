// What the operator knows and says of devices: group, tags, time zone, service; what their slots hold. Registration and
// nonces are device-store.ts.
import type { Updateable } from "kysely";
import type { KnownSlot } from "../domain/device-slots.js";
import type { DeviceRow, DeviceSlotRow, DeviceTable, Records } from "./tables.js";

export interface FleetQuery {
	readonly group?: string | undefined;
	readonly tag?: string | undefined;
	readonly deviceType?: string | undefined;
	/** That runs, by its last report. */
	readonly version?: string | undefined;
	readonly state?: "active" | "decommissioned" | undefined;
	/** Last seen from then on, and before then (never seen is before any time). */
	readonly seenFromMs?: number | undefined;
	readonly seenBeforeMs?: number | undefined;
	/** Only devices whose id comes behind this one. */
	readonly after?: string | undefined;
	readonly limit: number;
}

/** In order of device id. */
export async function listFleet(db: Records, options: FleetQuery): Promise<DeviceRow[]> {
	const { group, tag, deviceType, version, state, seenFromMs, seenBeforeMs, after } = options;
	let query = db.selectFrom("devices").selectAll("devices").orderBy("devices.device_id").limit(options.limit);
	if (tag !== undefined)
		query = query
			.innerJoin("device_tags", "device_tags.device_id", "devices.device_id")
			.where("device_tags.tag", "=", tag);
	if (version !== undefined)
		query = query
			.innerJoin("device_status", "device_status.device_id", "devices.device_id")
			.where("device_status.version", "=", version);
	if (group !== undefined) query = query.where("devices.group_name", "=", group);
	if (deviceType !== undefined) query = query.where("devices.device_type", "=", deviceType);
	if (state !== undefined)
		query = query.where("devices.decommissioned_at_ms", state === "active" ? "is" : "is not", null);
	if (seenFromMs !== undefined) query = query.where("devices.last_seen_at_ms", ">=", seenFromMs);
	if (seenBeforeMs !== undefined)
		query = query.where((where) =>
			where.or([
				where("devices.last_seen_at_ms", "is", null),
				where("devices.last_seen_at_ms", "<", seenBeforeMs),
			]),
		);
	if (after !== undefined) query = query.where("devices.device_id", ">", after);
	return query.execute();
}

export async function changeDevice(
	db: Records,
	deviceId: string,
	changes: Updateable<DeviceTable>,
): Promise<DeviceRow> {
	return db
		.updateTable("devices")
		.set(changes)
		.where("device_id", "=", deviceId)
		.returningAll()
		.executeTakeFirstOrThrow();
}

/** Takes the place of the tags before. */
export async function setTags(db: Records, deviceId: string, tags: readonly string[]): Promise<void> {
	await db.deleteFrom("device_tags").where("device_id", "=", deviceId).execute();
	if (tags.length === 0) return;
	await db
		.insertInto("device_tags")
		.values(tags.map((tag) => ({ device_id: deviceId, tag })))
		.execute();
}

/** Sorted, of each of these devices that has any. */
export async function findTags(db: Records, deviceIds: readonly string[]): Promise<Map<string, string[]>> {
	const tags = new Map<string, string[]>();
	if (deviceIds.length === 0) return tags;
	const rows = await db
		.selectFrom("device_tags")
		.selectAll()
		.where("device_id", "in", deviceIds)
		.orderBy("tag")
		.execute();
	for (const { device_id, tag } of rows) tags.set(device_id, [...(tags.get(device_id) ?? []), tag]);
	return tags;
}

export async function findSlots(db: Records, deviceId: string): Promise<DeviceSlotRow[]> {
	return db
		.selectFrom("device_slots")
		.selectAll()
		.where("device_id", "=", deviceId)
		.orderBy("slot")
		.execute();
}

export async function saveSlots(
	db: Records,
	deviceId: string,
	slots: readonly KnownSlot[],
	nowMs: number,
): Promise<void> {
	for (const { slot, ...fields } of slots) {
		const row = { ...fields, seen_at_ms: nowMs };
		await db
			.insertInto("device_slots")
			.values({ device_id: deviceId, slot, ...row })
			.onConflict((conflict) => conflict.columns(["device_id", "slot"]).doUpdateSet(row))
			.execute();
	}
}

/** All but these. */
export async function forgetOtherSlots(
	db: Records,
	deviceId: string,
	labels: readonly string[],
): Promise<void> {
	await db
		.deleteFrom("device_slots")
		.where("device_id", "=", deviceId)
		.where("slot", "not in", labels)
		.execute();
}

export async function forgetSlots(db: Records, deviceId: string): Promise<void> {
	await db.deleteFrom("device_slots").where("device_id", "=", deviceId).execute();
}
