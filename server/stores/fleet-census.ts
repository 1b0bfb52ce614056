// Numbers of the whole fleet, for metrics. Each is one query over an index, with a turn of the event loop between them;
// called at most every few seconds.
import { sql } from "kysely";
import { turn } from "../turn.js";
import type { Records } from "./tables.js";

export interface FleetCensus {
	readonly deviceCount: number;
	readonly legacyCount: number;
	readonly updates: readonly { readonly status: string; readonly count: number }[];
	readonly rollouts: readonly { readonly state: string; readonly count: number }[];
	/** The most frequent ones. */
	readonly versions: readonly {
		readonly deviceType: string;
		readonly version: string;
		readonly count: number;
	}[];
	readonly waitingDeliveryCount: number;
}

export const VERSIONS_MAX = 20;
const countAll = sql<number>`count(*)`.as("count");

export async function takeCensus(db: Records): Promise<FleetCensus> {
	const devices = await db.selectFrom("devices").select(countAll).executeTakeFirstOrThrow();
	await turn();
	const legacy = await db
		.selectFrom("devices")
		.select(countAll)
		.where("is_legacy", "=", 1)
		.executeTakeFirstOrThrow();
	await turn();
	const updates = await db
		.selectFrom("updates")
		.select(["status"])
		.select(countAll)
		.groupBy("status")
		.execute();
	await turn();
	const rollouts = await db
		.selectFrom("rollouts")
		.select(["state"])
		.select(countAll)
		.groupBy("state")
		.execute();
	await turn();
	const versions = await db
		.selectFrom("device_status")
		.select(["device_type", "version"])
		.select(countAll)
		.groupBy(["device_type", "version"])
		.orderBy("count", "desc")
		.orderBy("device_type")
		.orderBy("version")
		.limit(VERSIONS_MAX)
		.execute();
	await turn();
	const waiting = await db
		.selectFrom("webhook_deliveries")
		.select(countAll)
		.where("status", "=", "waiting")
		.executeTakeFirstOrThrow();
	return {
		deviceCount: Number(devices.count),
		legacyCount: Number(legacy.count),
		updates: updates.map(({ status, count }) => ({ status, count: Number(count) })),
		rollouts: rollouts.map(({ state, count }) => ({ state, count: Number(count) })),
		versions: versions.map((row) => ({
			deviceType: row.device_type,
			version: row.version,
			count: Number(row.count),
		})),
		waitingDeliveryCount: Number(waiting.count),
	};
}
