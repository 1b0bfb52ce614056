// What the devices of one type run, counted and one by one. Devices out of service do not count.
import type { ExpressionBuilder } from "kysely";
import type { Records, Tables } from "./tables.js";

export interface VersionCount {
	readonly version: string | null;
	readonly chip: string | null;
	readonly channel: string;
	readonly group_name: string | null;
	readonly count: number;
}

export interface ExposureFilter {
	readonly deviceType: string;
	/** Only these; null: those that have not said. Default: all. */
	readonly versions?: readonly (string | null)[] | undefined;
}

/** The most frequent first, at most `limit` of them. */
export async function countVersions(
	db: Records,
	filter: ExposureFilter,
	limit: number,
): Promise<VersionCount[]> {
	const rows = await exposed(db, filter)
		.select(["device_status.version", "devices.channel", "devices.group_name"])
		.select((select) => chipOf(select).as("chip"))
		.select((select) => select.fn.countAll<number>().as("count"))
		.groupBy(["device_status.version", "devices.channel", "devices.group_name"])
		.groupBy(chipOf)
		.orderBy("count", "desc")
		.orderBy("device_status.version")
		.orderBy("devices.channel")
		.orderBy("devices.group_name")
		.limit(limit)
		.execute();
	return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

export interface ExposedDevice {
	readonly device_id: string;
	readonly version: string | null;
	readonly chip: string | null;
	readonly channel: string;
	readonly group_name: string | null;
	readonly last_seen_at_ms: number | null;
}

/** In order of device id, behind `after`. */
export async function listExposed(
	db: Records,
	filter: ExposureFilter,
	page: { readonly after: string | undefined; readonly limit: number },
): Promise<ExposedDevice[]> {
	let query = exposed(db, filter)
		.select(["devices.device_id", "device_status.version", "devices.channel", "devices.group_name"])
		.select(["devices.last_seen_at_ms"])
		.select((select) => chipOf(select).as("chip"))
		.orderBy("devices.device_id")
		.limit(page.limit);
	if (page.after !== undefined) query = query.where("devices.device_id", ">", page.after);
	return query.execute();
}

type Joined = Omit<Tables, "device_status"> & {
	device_status: { [K in keyof Tables["device_status"]]: Tables["device_status"][K] | null };
};

/** As registered, or else as reported. */
function chipOf(select: ExpressionBuilder<Joined, "devices" | "device_status">) {
	return select.fn.coalesce("devices.chip", "device_status.chip");
}

function exposed(db: Records, { deviceType, versions }: ExposureFilter) {
	const query = db
		.selectFrom("devices")
		.leftJoin("device_status", "device_status.device_id", "devices.device_id")
		.where("devices.device_type", "=", deviceType)
		.where("devices.decommissioned_at_ms", "is", null);
	if (versions === undefined) return query;
	const named = versions.filter((version) => version !== null);
	return query.where((where) =>
		where.or([
			...(named.length > 0 ? [where("device_status.version", "in", named)] : []),
			...(versions.includes(null) ? [where("device_status.version", "is", null)] : []),
		]),
	);
}
