// What the servers under load have in their databases: a release, and devices in any number, registered through the store in
// bulk. Used by the bench's phases.
import { sql } from "kysely";
import { buildEspImage } from "../../cli/image/esp-image-builder.js";
import { createReleaseKey } from "../../cli/release/release-key.js";
import { signRelease } from "../../cli/release/sign-release.js";
import { ServerClient } from "../../cli/server/server-client.js";
import { sha256Hex } from "../../server/auth/device-keys.js";
import { kindOf, openDatabase } from "../../server/stores/database.js";
import type { Records } from "../../server/stores/tables.js";
import { hexEncode, utf8Encode } from "../../src/protocol/encoding.js";
import { CHIP, DEVICE_TYPE } from "./device-load.js";
import type { BenchRelease } from "./load.js";
import { ADMIN_TOKEN } from "./server-process.js";

export const IMAGE_BYTES = 1040 * 1024;
const RELEASE: { readonly version: string } = { version: "1.1.0" };
const ROWS_PER_STATEMENT = 500;

export interface Release extends BenchRelease {
	readonly image: Uint8Array;
	publish(serverUrl: string): Promise<void>;
}

export function makeRelease(): Release {
	const options = {
		chip: CHIP,
		projectName: "bench",
		payload: utf8Encode("bench"),
		sizeBytes: IMAGE_BYTES,
	} as const;
	const image = buildEspImage({ ...options, ...RELEASE });
	const key = createReleaseKey();
	const signed = signRelease(image, { deviceType: DEVICE_TYPE }, key);
	return {
		...RELEASE,
		image,
		hash: sha256Hex(image),
		sizeBytes: image.length,
		async publish(serverUrl) {
			const client = new ServerClient({ url: new URL(serverUrl), token: ADMIN_TOKEN });
			await client.registerReleaseKey(hexEncode(key.publicKey));
			await client.publish({ image, release: signed });
		},
	};
}

/** What the database says of its own durability. */
export async function fillDatabase(
	location: string,
	devices: readonly { readonly name: string; readonly count: number }[],
): Promise<string> {
	const db = openDatabase(location);
	try {
		for (const { name, count } of devices)
			await db.transaction().execute((transaction) => registerMany(transaction, name, count));
		return await durabilityOf(db);
	} finally {
		await db.destroy();
	}
}

async function registerMany(db: Records, name: string, count: number): Promise<void> {
	const now = Date.now();
	for (let first = 0; first < count; first += ROWS_PER_STATEMENT) {
		const rows = Array.from({ length: Math.min(ROWS_PER_STATEMENT, count - first) }, (_, i) => ({
			device_id: `${name}-${first + i}`,
			device_type: DEVICE_TYPE,
			chip: CHIP,
			device_key: null,
			created_at_ms: now,
		}));
		await db.insertInto("devices").values(rows).execute();
	}
}

/** SQLite's levels of `synchronous`, by number. */
const SYNCHRONOUS = ["OFF", "NORMAL", "FULL", "EXTRA"];

async function durabilityOf(db: Records): Promise<string> {
	if (kindOf(db) === "sqlite") {
		const { rows } = await sql<{ synchronous: number }>`pragma synchronous`.execute(db);
		return `synchronous = ${SYNCHRONOUS[rows[0]?.synchronous ?? -1] ?? "unknown"}`;
	}
	const fsync = await sql<{ fsync: string }>`show fsync`.execute(db);
	const commit = await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(db);
	return `fsync = ${fsync.rows[0]?.fsync}, synchronous_commit = ${commit.rows[0]?.synchronous_commit}`;
}
