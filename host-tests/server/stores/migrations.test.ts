// The database: migrations up and down, settings, two connections.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { memberAfter } from "../../../server/domain/rollout-member.js";
import { addApiToken } from "../../../server/stores/api-token-store.js";
import { countAttempt } from "../../../server/stores/attempt-store.js";
import { appendAudit } from "../../../server/stores/audit-store.js";
import { openDatabase } from "../../../server/stores/database.js";
import { insertDeliveries } from "../../../server/stores/delivery-store.js";
import { noteBuild, registerDevice, takeLegacyNote, takeNonce } from "../../../server/stores/device-store.js";
import { appendEvents } from "../../../server/stores/event-store.js";
import { settleFact } from "../../../server/stores/fact-store.js";
import { changeDevice, saveSlots, setTags } from "../../../server/stores/fleet-store.js";
import { claimKeeping } from "../../../server/stores/image-claims.js";
import { MIGRATIONS, migrateDown, migrateToLatest, newerMigrations } from "../../../server/stores/migrate.js";
import { writeReadiness } from "../../../server/stores/readiness-store.js";
import { addReleaseKey, insertRelease, updateRelease } from "../../../server/stores/release-store.js";
import { addRollbackOrder } from "../../../server/stores/rollback-order-store.js";
import { saveTry } from "../../../server/stores/rollout-member-store.js";
import { createRollout } from "../../../server/stores/rollout-service.js";
import type { Records } from "../../../server/stores/tables.js";
import { takeTaskTurn } from "../../../server/stores/task-turns.js";
import { insertUpdate } from "../../../server/stores/update-store.js";
import { addSession, addUser } from "../../../server/stores/user-store.js";
import { insertWebhook } from "../../../server/stores/webhook-store.js";
import { makeDatabase } from "../../support/postgres.js";
import { RELEASE_ROW } from "../release-kit.js";
import { OPEN_PLAN } from "../rollout-rig.js";
import { databaseKind } from "../test-database.js";

/** Without tables. */
async function emptyDatabase(folder: string): Promise<string> {
	const serverUrl = inject("postgresUrl");
	if (serverUrl === undefined) return join(folder, "fota.db");
	return makeDatabase(serverUrl, `m_${randomUUID()}`);
}

describe("the database", () => {
	let folder: string;
	let location: string;
	let db: Records;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-migrations-test-"));
		location = await emptyDatabase(folder);
		db = openDatabase(location);
	});
	afterEach(async () => {
		await db.destroy();
		await rm(folder, { recursive: true });
	});

	async function tableNames(): Promise<string[]> {
		const tables = await db.introspection.getTables();
		return tables.map((table) => table.name).filter((name) => !name.startsWith("kysely_"));
	}

	async function fill(): Promise<void> {
		await addReleaseKey(db, { keyId: "k", publicKeyHex: "04", nowMs: 1 });
		await insertRelease(db, { ...RELEASE_ROW, version: "1.0.0" });
		const device = { deviceId: "d", deviceType: "t", chip: undefined, deviceKeyHex: undefined, nowMs: 1 };
		await registerDevice(db, device);
		await addRollbackOrder(db, { deviceId: "d", reason: "r", nowMs: 1 });
		await appendEvents(db, [{ log: "fota", type: "boot_status", deviceId: "d", details: {} }], 1);
		await noteBuild(db, "d", { buildNumber: 7, version: "1.0.0" });
		await takeLegacyNote(db, { deviceId: "d", intervalMs: 1, nowMs: 1 });
		await updateRelease(db, 1, { channel: "beta", notes: "n", is_security_fix: 1, published_at_ms: 1 });
		await fillFleet();
		await fillAccess();
		await fillLive();
	}

	async function fillLive(): Promise<void> {
		const fields = { url: "https://a.example/", description: null, log: null, types: ["t"], deviceId: "d" };
		const webhook = await insertWebhook(db, { ...fields, salt: "00", createdBy: "user:u", nowMs: 1 });
		await insertDeliveries(db, [{ webhookId: webhook.id, eventId: 1, type: "t", body: "{}" }], 1);
		await writeReadiness(db, 1);
		await claimKeeping(db, { hash: "h", nowMs: 1 });
	}

	async function fillAccess(): Promise<void> {
		const times = { created_at_ms: 1, updated_at_ms: 1, last_login_at_ms: null };
		const roles = { role: "admin", is_active: 1, must_change_password: 0 } as const;
		const user = await addUser(db, { name: "u", password_hash: "h", ...roles, ...times });
		const session = { created_at_ms: 1, expires_at_ms: 2, revoked_at_ms: null };
		await addSession(db, { id: "s", user_id: user?.id ?? 0, token_hash: "h", ...session });
		const token = { created_at_ms: 1, expires_at_ms: 2, last_used_at_ms: null };
		await addApiToken(db, { name: "t", token_hash: "h", role: "viewer", created_by: "user:u", ...token });
		await countAttempt(db, { key: "name:u", max: 9, windowMs: 1, nowMs: 1 });
		await settleFact(db, "master-key-fingerprint", "f");
		await db.transaction().execute(async (transaction) => {
			await appendAudit(transaction, { actor: "server", action: "a", nowMs: 1 });
		});
	}

	async function fillFleet(): Promise<void> {
		await changeDevice(db, "d", { group_name: "g", decommissioned_at_ms: 1, key_generation: 1 });
		await setTags(db, "d", ["a", "b"]);
		await saveSlots(db, "d", [{ slot: "ota_0", version: "1.0.0", hash: null, state: "running" }], 1);
		const plan = { ...OPEN_PLAN, on_stop: "pause", window: null, max_concurrent_downloads: 0 } as const;
		const target = { kind: "devices", device_ids: ["d"] } as const;
		const { id: releaseId } = await db.selectFrom("releases").select("id").executeTakeFirstOrThrow();
		const wanted = { name: "r", releaseId, target, plan, priority: 0, seed: "aa" };
		const { id: rolloutId } = await createRollout(db, wanted, { actor: "user:a", nowMs: 1 });
		const facts = { attempts: 1, errorCode: undefined, isBegun: false, retry: plan.retry, nowMs: 1 };
		const change = memberAfter("pending", facts);
		await saveTry(db, { rolloutId, deviceId: "d", wave: 0, attempt: 1, change, nowMs: 1 });
		const times = { started_at_ms: 1, changed_at_ms: 1 };
		const update = {
			device_id: "d",
			release_id: releaseId,
			rollout_id: rolloutId,
			status: "pending",
		} as const;
		await insertUpdate(db, { ...update, ...times, attempt: 1 });
		await takeTaskTurn(db, { name: "t", everyMs: 1, nowMs: 1 });
	}

	it("migrates up, down and up again with rows in place", async () => {
		await migrateToLatest(db);
		const names = await tableNames();
		expect(names).toEqual(expect.arrayContaining(["devices", "events", "releases", "rollouts", "updates"]));
		await fill();
		for (const _name of Object.keys(MIGRATIONS)) await migrateDown(db);
		expect(await tableNames()).toEqual([]);
		await migrateToLatest(db);
		expect(await tableNames()).toEqual(names);
		await fill();
	});

	it("migrates once: a second time changes nothing", async () => {
		await migrateToLatest(db);
		await fill();
		await migrateToLatest(db);
		expect(await db.selectFrom("devices").selectAll().execute()).toHaveLength(1);
	});

	it.runIf(databaseKind === "PostgreSQL")(
		"migrates for as long as it takes: the limit of a request's statements is not for a table of a large fleet",
		async () => {
			await migrateToLatest(db);
			await sql`create table noted (statement_timeout text)`.execute(db);
			await sql`create function note() returns event_trigger language plpgsql as
				$$ begin insert into noted values (current_setting('statement_timeout')); end $$`.execute(db);
			await sql`create event trigger note on ddl_command_end execute function note()`.execute(db);
			await migrateDown(db);
			await migrateToLatest(db);
			const { rows } = await sql`select distinct statement_timeout from noted`.execute(db);
			expect(rows).toEqual([{ statement_timeout: "0" }]);
			const now = await sql`show statement_timeout`.execute(db);
			expect(now.rows).toEqual([{ statement_timeout: "15s" }]);
		},
	);

	it.runIf(databaseKind === "SQLite")("has an index for what is asked of a large fleet", async () => {
		await migrateToLatest(db);
		const planOf = async (query: string) => {
			const { rows } = await sql.raw<{ detail: string }>(`explain query plan ${query}`).execute(db);
			return rows.map(({ detail }) => detail).join("\n");
		};
		const updates =
			"select * from updates where started_at_ms >= 5 and started_at_ms < 6 order by started_at_ms";
		expect(await planOf(updates)).toContain("updates_by_start");
		expect(await planOf("select * from audit_log where at_ms >= 5 order by at_ms")).toContain(
			"audit_log_by_time",
		);
		const gone = "select * from devices where decommissioned_at_ms is not null order by device_id";
		expect(await planOf(gone)).toContain("devices_decommissioned");
	});

	it("of a newer server is refused, untouched", async () => {
		await migrateToLatest(db);
		const names = await tableNames();
		await sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2100-01-01')`.execute(db);
		const message = expect.stringMatching(/newer server \(it has "9999-later"\).*backup/);
		await expect(migrateToLatest(db)).rejects.toMatchObject({ code: "server-failed", message });
		await expect(migrateDown(db)).rejects.toMatchObject({ code: "server-failed", message });
		expect(await tableNames()).toEqual(names);
		expect(await newerMigrations(db)).toEqual(["9999-later"]);
	});

	it.runIf(databaseKind === "SQLite")(
		"writes ahead, waits for other writers, and holds to its references",
		async () => {
			await migrateToLatest(db);
			const pragma = async (name: string) =>
				Object.values(
					(await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(db)).rows[0] ?? {},
				)[0];
			expect(await pragma("journal_mode")).toBe("wal");
			expect(await pragma("synchronous")).toBe(2);
			expect(await pragma("busy_timeout")).toBe(5000);
			expect(await pragma("foreign_keys")).toBe(1);
			await expect(addRollbackOrder(db, { deviceId: "nobody", reason: "r", nowMs: 1 })).rejects.toThrow(
				/FOREIGN KEY/,
			);
		},
	);

	it("lets a nonce through once over two connections", async () => {
		await migrateToLatest(db);
		await fill();
		const other = openDatabase(location);
		const take = (records: Records, nonce: number) => takeNonce(records, { deviceId: "d", nonce, nowMs: 1 });
		expect([await take(db, 5), await take(other, 5), await take(other, 4), await take(other, 6)]).toEqual([
			true,
			false,
			false,
			true,
		]);
		await other.destroy();
	});
});
