// The last line of the audit log in the server's own log: what an end that was cut off is held against.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AUDIT_HEAD_TASK_MS } from "../../server/audit-heads.js";
import type { Every } from "../../server/regular-work.js";
import { appendAudit } from "../../server/stores/audit-store.js";
import { openDatabase } from "../../server/stores/database.js";
import type { Records } from "../../server/stores/tables.js";
import { createRigApp, ServerRig } from "./server-rig.js";
import { testDatabase } from "./test-database.js";

interface Line {
	readonly level: number;
	readonly msg: string;
	readonly audit_id: number;
	readonly audit_hash: string;
}

const ERROR = 50;

describe("the server's log has", () => {
	let folder: string;
	let rig: ServerRig;
	let told: Line[];
	let runTasks: () => Promise<void>;
	/** Another server on the database, or somebody with a hand in it. */
	let other: Records;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-audit-heads-test-"));
		told = [];
		const database = await testDatabase(folder);
		const tasks: (() => Promise<void>)[] = [];
		const every: Every = (everyMs, task) => {
			if (everyMs === AUDIT_HEAD_TASK_MS) tasks.push(task);
			return () => {};
		};
		const logStream = {
			write(text: string) {
				const line = JSON.parse(text) as Line;
				if (line.audit_id !== undefined) told.push(line);
			},
		};
		const options = { dataDirectory: folder, databaseUrl: database.url, every, logStream } as const;
		rig = new ServerRig(await createRigApp({ ...options, logLevel: "info" }));
		runTasks = async () => {
			for (const task of tasks) await task();
		};
		other = openDatabase(database.url ?? join(folder, "fota.db"));
	});
	afterEach(async () => {
		await other.destroy();
		await rig.close();
		await rm(folder, { recursive: true });
	});

	const heads = () => told.map(({ audit_id, audit_hash }) => ({ id: audit_id, hash: audit_hash }));
	const committed = async () => {
		const { lines } = (await rig.get("/api/audit")).json() as { lines: { id: number; hash: string }[] };
		return lines.map(({ id, hash }) => ({ id, hash }));
	};
	const change = async (deviceId: string) => {
		await rig.device(deviceId);
		await rig.app.idle();
	};
	const ownDeed = (action = "rollout.stop") =>
		other.transaction().execute(async (transaction) => {
			await appendAudit(transaction, { actor: "server", action, nowMs: 1 });
		});

	it("each last line of the audit log behind the change that made it", async () => {
		for (const deviceId of ["a", "b", "c"]) await change(deviceId);
		expect(heads()).toEqual(await committed());
	});

	it("none where nothing was changed, or a change was refused", async () => {
		await change("a");
		await rig.get("/api/audit/verify");
		await rig.post("/api/cloud/fota/devices", { device_id: "no name of a device" });
		await rig.app.idle();
		await runTasks();
		expect(heads()).toHaveLength(1);
	});

	it("that of a line which the server, or another one, made by itself, a little later", async () => {
		await ownDeed();
		expect(heads()).toEqual([]);
		await runTasks();
		expect(heads()).toEqual(await committed());
	});

	it("an error once the end of the audit log is gone, or is another one", async () => {
		for (const deviceId of ["a", "b", "c"]) await change(deviceId);
		await sql`delete from audit_log where id = 3`.execute(other);
		await runTasks();
		expect(told.at(-1)).toMatchObject({ level: ERROR, audit_id: 2, told_id: 3 });
		await ownDeed();
		await runTasks();
		await sql`delete from audit_log where id = 3`.execute(other);
		await ownDeed("rollout.pause");
		await runTasks();
		expect(told.map(({ level }) => level === ERROR)).toEqual([false, false, false, true, false, true]);
		expect(told.at(-1)).toMatchObject({ audit_id: 3, told_id: 3 });
	});
});
