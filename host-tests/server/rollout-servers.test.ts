// Rollouts on two servers with one database: whichever a device speaks to, places, waves and stops hold for both.
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/stores/database.js";
import { setTags } from "../../server/stores/fleet-store.js";
import { lockDevice, takeRolloutLock } from "../../server/stores/locks.js";
import { changeMember, findMember } from "../../server/stores/rollout-member-store.js";
import type { Records } from "../../server/stores/tables.js";
import { makeReleaseKey } from "./release-kit.js";
import { type FleetDevice, RolloutRig } from "./rollout-rig.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";

// A SQLite file belongs to one process.
describe.runIf(databaseKind === "PostgreSQL")("a rollout on two servers", () => {
	let database: TestDatabase;
	let left: RolloutRig;
	let right: RolloutRig;
	beforeEach(async () => {
		database = await testDatabase();
		const releaseKey = makeReleaseKey();
		left = await RolloutRig.start({ databaseUrl: database.url }, releaseKey);
		right = await RolloutRig.start({ databaseUrl: database.url }, releaseKey);
	});
	afterEach(async () => {
		await Promise.all([left.close(), right.close()]);
		await database.remove();
	});
	const serverFor = (index: number) => (index % 2 === 0 ? left : right).server;

	it("never has more downloads than places", async () => {
		const devices = await left.fleet(12);
		const { id: releaseId } = await left.release("1.1.0");
		const id = await left.rollout(releaseId, { max_concurrent_downloads: 5 });
		const ask = ({ device }: FleetDevice, index: number) => device.manifest(serverFor(index));
		for (let turn = 0; turn < 3; turn++) {
			const answers = await Promise.all(devices.map((device, index) => ask(device, index + turn)));
			const statuses = answers.map(({ statusCode }) => statusCode);
			expect(statuses.filter((status) => status === 200)).toHaveLength(5);
			expect(statuses.filter((status) => status === 503)).toHaveLength(7);
		}
		expect(await right.state(id)).toMatchObject({ counts: { offered: 5, failed: 0 } });
	});

	it("is stopped once, by whichever sees the last failure, and rolled back by one of them", async () => {
		const devices = await left.fleet(16);
		const { id: releaseId } = await left.release("1.1.0");
		const id = await left.rollout(releaseId, {
			stop_rule: { max_failure_percent: 30, min_failure_count: 3 },
			on_stop: "roll_back",
		});
		await Promise.all(
			devices.map((device, index) => device.poll(serverFor(index), index % 2 === 0 ? "crashes" : "works")),
		);
		const stopped = await right.state(id);
		expect(stopped.state).toBe("stopped");
		const count = (type: string) =>
			stopped.events.filter((event: { type: string }) => event.type === type).length;
		expect(count("stopped")).toBe(1);
		await Promise.all([left.pass(), right.pass()]);
		const bad = devices.filter(({ version }) => version === "1.1.0");
		const orders = await left.eventTypes("fota", "&type=rollback_ordered");
		expect(orders).toHaveLength(bad.length);
		const obeyed = await Promise.all(devices.map((device, index) => device.obey(serverFor(index + 1))));
		expect(obeyed.filter(Boolean)).toHaveLength(bad.length);
	});

	it("opens a wave once, though both look", async () => {
		await left.fleet(4);
		const { id: releaseId } = await left.release("1.1.0");
		const open = { min_wait_minutes: 1, min_success_percent: 0, min_finished_count: 0 };
		const waves = [1, 2, 3, 100].map((share_percent) => ({ share_percent, ...open }));
		const id = await left.rollout(releaseId, { waves });
		await Promise.all([left.pass(1), right.pass(1)]);
		expect(await right.state(id)).toMatchObject({ wave: 1 });
	});

	/** A transaction of another server in the middle of its work with the rollout. */
	async function hold(id: number, mode: "use" | "change") {
		const db = openDatabase(database.url ?? "");
		let release = () => {};
		const released = new Promise<void>((resolve) => {
			release = resolve;
		});
		let taken = () => {};
		const isTaken = new Promise<void>((resolve) => {
			taken = resolve;
		});
		const ended = db.transaction().execute(async (transaction) => {
			await takeRolloutLock(transaction, id, mode);
			taken();
			await released;
		});
		const end = async () => {
			release();
			await ended;
			await db.destroy();
		};
		return { isTaken, end };
	}
	/** How many transactions on this database wait for a lock of ours. */
	async function waitingCount(db: Records): Promise<number> {
		const { rows } = await sql<{ count: number }>`select count(*) as count from pg_locks
			where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`.execute(db);
		return Number(rows[0]?.count);
	}

	it("is paused though offers come without a gap: who asks later waits behind it", async () => {
		const { id: releaseId } = await left.release("1.1.0");
		const id = await left.rollout(releaseId);
		const db = openDatabase(database.url ?? "");
		const offering = await hold(id, "use");
		await offering.isTaken;
		const pause = left.act(id, "pause");
		await expect.poll(() => waitingCount(db)).toBe(1);
		const next = await hold(id, "use");
		await expect.poll(() => waitingCount(db)).toBe(2);
		await db.destroy();
		await offering.end();
		expect((await pause).json()).toMatchObject({ state: "paused" });
		await next.isTaken;
		await next.end();
	});

	/** How many transactions on this database wait for any lock. */
	async function blockedCount(db: Records): Promise<number> {
		const { rows } = await sql<{ count: number }>`select count(*) as count from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
		return Number(rows[0]?.count);
	}

	it("tries a device anew though a report of its failure is being written down", async () => {
		const [device] = (await left.fleet(1)) as [FleetDevice];
		const { id: releaseId } = await left.release("1.1.0");
		const id = await left.rollout(releaseId);
		await device.poll(left.server, "stalls");
		expect(await left.state(id)).toMatchObject({ state: "running", counts: { failed: 1 } });
		const db = openDatabase(database.url ?? "");
		let isRetried = false;
		const retry = await db.transaction().execute(async (transaction) => {
			// As the report does: under the device's lock it reads where the device stands, and writes what follows from that.
			await lockDevice(transaction, device.id);
			const key = { rolloutId: id, deviceId: device.id };
			const { status, attempts, finished_at_ms } = (await findMember(transaction, key)) ?? expect.fail();
			const answer = right.act(id, "retry-failed").finally(() => {
				isRetried = true;
			});
			await expect.poll(async () => isRetried || (await blockedCount(db)) > 0).toBe(true);
			await changeMember(transaction, key, { status, attempts, finished_at_ms });
			return { answer };
		});
		expect((await retry.answer).json()).toEqual({ device_count: 1 });
		await db.destroy();
		expect(await left.state(id)).toMatchObject({ counts: { retrying: 1, failed: 0 } });
	});

	it("sorts a device by the tags that were set last, though two set them at once", async () => {
		const { id } = ((await left.fleet(1)) as [FleetDevice])[0];
		const db = openDatabase(database.url ?? "");
		const { answer } = await db.transaction().execute(async (transaction) => {
			await lockDevice(transaction, id);
			await setTags(transaction, id, ["roof", "test"]);
			const answer = right.send("PUT", `/api/devices/${id}/tags`, { tags: ["lab", "test"] });
			await expect.poll(() => blockedCount(db)).toBe(1);
			return { answer };
		});
		await db.destroy();
		expect((await answer).json()).toMatchObject({ tags: ["lab", "test"] });
	});

	it("lets a device that failed go, however long its judgement takes", async () => {
		const [device] = await left.fleet(1);
		const { id: releaseId } = await left.release("1.1.0");
		const id = await left.rollout(releaseId, { stop_rule: { max_failure_percent: 0, min_failure_count: 1 } });
		const target = (await device?.device.manifest(left.server))?.json();
		const others = await hold(id, "change");
		await others.isTaken;
		const error = { code: "flash-failed", message: "worn out" } as const;
		const failed = { target: { version: "1.1.0", hash: target.hash }, state: "FAILED", error } as const;
		expect((await device?.device.report(left.server, failed))?.statusCode).toBe(200);
		await others.end();
		await left.app.idle();
		expect(await right.state(id)).toMatchObject({ state: "paused" });
	});
});
