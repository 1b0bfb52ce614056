// Pages of the logs, and the removal of what is too old: bounded, and never without a word.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Every } from "../../server/regular-work.js";
import { RETENTION_TASK_MS } from "../../server/stores/retention.js";
import { ServerRig } from "./server-rig.js";

const DAY_MS = 86_400_000;

interface Event {
	readonly id: number;
	readonly time: string;
	readonly type: string;
	readonly details: Record<string, unknown>;
}

let rig: ServerRig;
let runTasks: () => Promise<void>;
beforeEach(async () => {
	const tasks: (() => Promise<void>)[] = [];
	const every: Every = (everyMs, task) => {
		if (everyMs === RETENTION_TASK_MS) tasks.push(task);
		return () => {};
	};
	rig = await ServerRig.create({ every, logRetentionMs: 30 * DAY_MS });
	runTasks = async () => {
		for (const task of tasks) await task();
	};
});
afterEach(() => rig.close());

const page = async (query: string) =>
	(await rig.get(`/api/cloud/logs/fota?type=device_registered&${query}`)).json();
const ids = (events: Event[]) => events.map(({ id }) => id);

describe("a page of a log", () => {
	it("goes back as well as on, and holds to a time", async () => {
		const startMs = rig.clock.nowMs;
		for (let i = 0; i < 6; i++) {
			await rig.device(`dev-${i}`);
			rig.clock.nowMs += 1000;
		}
		const all = ids((await page("limit=500")).events);
		const newest = await page("limit=2");
		expect([ids(newest.events), newest.next_before]).toEqual([all.slice(4), all[4]]);
		const older = await page(`limit=3&before=${newest.next_before}`);
		expect(ids(older.events)).toEqual(all.slice(1, 4));
		const time = (offsetMs: number) => new Date(startMs + offsetMs).toISOString();
		expect(ids((await page(`since=${time(2000)}&until=${time(4000)}`)).events)).toEqual(all.slice(2, 4));
		expect(await page(`before=${all[0]}`)).toMatchObject({ events: [], next_before: null });
		const mixed = await page(`after=${all[0]}&before=${all[3]}`);
		expect(ids(mixed.events)).toEqual(all.slice(1, 3));
	});
});

describe("a log", () => {
	it("loses what is older than the operator keeps, and says how much of what age", async () => {
		const startMs = rig.clock.nowMs;
		for (let i = 0; i < 3; i++) await rig.device(`old-${i}`);
		rig.clock.nowMs = startMs + 20 * DAY_MS;
		await rig.device("young");
		await runTasks();
		expect((await page("limit=10")).events).toHaveLength(4);
		rig.clock.nowMs = startMs + 30 * DAY_MS + 1;
		await runTasks();
		const left = (await rig.get("/api/cloud/logs/fota?limit=500")).json().events as Event[];
		expect(left.map(({ type }) => type)).toEqual(["device_registered", "log_lines_removed"]);
		const time = new Date(startMs).toISOString();
		expect(left[1]?.details).toEqual({ count: 3, oldest: time, newest: time });
		expect(await rig.eventTypes("security")).toEqual(["log_lines_removed"]);
		const audit = (await rig.get("/api/audit?limit=500")).json().lines as Event[];
		expect(audit.length).toBeGreaterThan(4);
	});
});
