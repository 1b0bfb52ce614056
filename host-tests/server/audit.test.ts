// The audit log: what an operator changes is in it, and what is done to it shows.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/stores/database.js";
import type { Records } from "../../server/stores/tables.js";
import { callAs, makeToken } from "./operators.js";
import { makeReleaseKey } from "./release-kit.js";
import { createRigApp, problemOf, ServerRig } from "./server-rig.js";
import { databaseKind, testDatabase } from "./test-database.js";

interface Line {
	readonly id: number;
	readonly action: string;
	readonly target: string;
	readonly hash: string;
}

describe("the audit log", () => {
	let folder: string;
	let location: string;
	let rig: ServerRig;
	/** Somebody with a hand in the database. */
	let intruder: Records;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-audit-test-"));
		const database = await testDatabase(folder);
		location = database.url ?? join(folder, "fota.db");
		rig = new ServerRig(await createRigApp({ dataDirectory: folder, databaseUrl: database.url }));
		await rig.app.makeFirstAdmin();
		intruder = openDatabase(location);
	});
	afterEach(async () => {
		await intruder.destroy();
		await rig.close();
		await rm(folder, { recursive: true });
	});

	const lines = async (query = ""): Promise<Line[]> =>
		(await rig.get(`/api/audit?limit=500${query}`)).json().lines;
	const verify = async (query = "") => (await rig.get(`/api/audit/verify?${query}`)).json();
	async function fill(): Promise<void> {
		await rig.registerReleaseKey();
		for (let i = 1; i <= 5; i++) await rig.device(`dev-${i}`);
	}

	it("has a line for every change an operator makes, with who, what, whence and which request", async () => {
		await rig.registerReleaseKey();
		await rig.registerReleaseKey();
		await rig.device();
		await rig.publish();
		const { releases } = (await rig.get("/api/cloud/fota/releases")).json();
		await rig.post(`/api/cloud/fota/releases/${releases[0].id}/deactivate`);
		await rig.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason: "too warm" });
		const all = await lines();
		expect(all.map(({ action }) => action)).toEqual([
			"user.create",
			"release-key.add",
			"device.register",
			"release.publish",
			"release.deactivate",
			"device.order-rollback",
		]);
		expect(all.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
		expect(all.at(-1)).toMatchObject({
			actor: "token:admin-token",
			role: "admin",
			target: "device:dev-1",
			details: { reason: "too warm" },
			address: "127.0.0.1",
			request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
		});
		expect(await verify()).toMatchObject({ is_whole: true, checked: 6, fault: null, next_after: null });
	});

	it("has no line for a change that did not happen", async () => {
		await rig.post("/api/cloud/fota/rollback", { device_id: "nobody", reason: "x" });
		await rig.post("/api/cloud/fota/release-keys", { public_key: `04${"1".repeat(128)}` });
		await rig.post("/api/users", { name: "admin", role: "viewer" });
		expect(await lines()).toHaveLength(1);
	});

	it("is read in pages, both ways, and by who, what and when", async () => {
		await fill();
		const token = await makeToken(rig, "ci", "admin");
		rig.clock.nowMs += 60_000;
		const { publicKeyHex: public_key } = makeReleaseKey();
		const call = { method: "POST", payload: { public_key } } as const;
		await callAs(rig, token, "/api/cloud/fota/release-keys", call);
		const ids = (page: Line[]) => page.map(({ id }) => id);
		expect(ids(await lines("&actor=token:ci"))).toEqual([9]);
		expect(ids(await lines("&action=device.register&target=device:dev-2"))).toEqual([4]);
		const since = new Date(rig.clock.nowMs).toISOString();
		expect(ids(await lines(`&since=${since}`))).toEqual([9]);
		expect(ids(await lines(`&until=${since}`))).toHaveLength(8);
		const newest = (await rig.get("/api/audit?limit=4")).json();
		expect([ids(newest.lines), newest.next_before, newest.next_after]).toEqual([[6, 7, 8, 9], 6, 9]);
		const older = (await rig.get(`/api/audit?limit=4&before=${newest.next_before}`)).json();
		expect(ids(older.lines)).toEqual([2, 3, 4, 5]);
		const newer = (await rig.get("/api/audit?limit=2&after=3")).json();
		expect(ids(newer.lines)).toEqual([4, 5]);
		expect(problemOf(await rig.get("/api/audit?since=2026-13-40T00:00:00Z"))).toBe("400 request-malformed");
	});

	const deeds: readonly (readonly [string, string, object])[] = [
		["a line removed", "delete from audit_log where id = 4", { id: 4, kind: "missing" }],
		["the first line removed", "delete from audit_log where id = 1", { id: 1, kind: "missing" }],
		["a field changed", "update audit_log set actor = 'user:eve' where id = 3", { id: 3, kind: "changed" }],
		["its details changed", "update audit_log set details = '{}' where id = 3", { id: 3, kind: "changed" }],
		["its time changed", "update audit_log set at_ms = at_ms + 1 where id = 5", { id: 5, kind: "changed" }],
		[
			"a hash made to fit nothing",
			`update audit_log set previous_hash = '${"1".repeat(64)}' where id = 2`,
			{ id: 2, kind: "not-linked" },
		],
	];
	it.each(deeds)("shows %s", async (_name, deed, fault) => {
		await fill();
		expect((await verify()).is_whole).toBe(true);
		await sql.raw(deed).execute(intruder);
		expect(await verify()).toMatchObject({ is_whole: false, fault, next_after: null });
	});

	it("shows two lines that changed places", async () => {
		await fill();
		for (const [from, to] of [
			[3, 100],
			[4, 3],
			[100, 4],
		])
			await sql.raw(`update audit_log set id = ${to} where id = ${from}`).execute(intruder);
		expect((await verify()).fault).toEqual({ id: 3, kind: "not-linked" });
	});

	it("shows an end that was cut off, to whoever knows the last line", async () => {
		await fill();
		const { head } = await verify();
		expect(head).toEqual({ id: 7, hash: (await lines()).at(-1)?.hash });
		await sql.raw("delete from audit_log where id >= 6").execute(intruder);
		expect((await verify()).is_whole).toBe(true);
		const known = `known_id=${head.id}&known_hash=${head.hash}`;
		expect(await verify(known)).toMatchObject({ is_whole: false, fault: { id: 7, kind: "truncated" } });
		// The numbers go on, the hashes do not.
		for (const id of ["a", "b"]) await rig.device(id);
		expect(await verify(known)).toMatchObject({ is_whole: false, fault: { id: 7, kind: "truncated" } });
	});

	it("is not called whole for a line that is named by half", async () => {
		await fill();
		for (const query of ["known_id=999999", `known_hash=${"a".repeat(64)}`, "known_id=2"])
			expect(problemOf(await rig.get(`/api/audit/verify?${query}`))).toBe("400 request-malformed");
		const unknown = await verify(`known_id=999999&known_hash=${"a".repeat(64)}`);
		expect(unknown).toMatchObject({ is_whole: false, fault: { id: 999_999, kind: "truncated" } });
		// What an empty log was told as when the server started.
		expect((await verify(`known_id=0&known_hash=${"0".repeat(64)}`)).is_whole).toBe(true);
		expect((await verify(`known_id=0&known_hash=${"1".repeat(64)}`)).is_whole).toBe(false);
	});

	it("is checked in pages", async () => {
		await fill();
		let after: number | null = 0;
		const pages: number[] = [];
		while (after !== null) {
			const page = await verify(`after=${after}&limit=3`);
			expect(page.is_whole).toBe(true);
			pages.push(page.checked);
			after = page.next_after;
		}
		expect(pages).toEqual([3, 3, 1]);
	});

	// No more at once than a server has connections: on a machine that is busy who waits for one is sent away.
	it("is one chain when many write at once", async () => {
		const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => rig.device(`many-${i}`)));
		expect(answers).toHaveLength(8);
		expect(await verify()).toMatchObject({ is_whole: true, checked: 9 });
	});

	it.runIf(databaseKind === "PostgreSQL")("is one chain when two servers write", async () => {
		const other = new ServerRig(await createRigApp({ databaseUrl: location }));
		await Promise.all(Array.from({ length: 16 }, (_, i) => (i % 2 ? rig : other).device(`many-${i}`)));
		expect(await verify()).toMatchObject({ is_whole: true, checked: 17 });
		await other.close();
	});
});
