// The newest events in memory: what readers get when others come and go while the database is asked.
import type { KyselyPlugin } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogEvent } from "../../server/domain/event.js";
import { createEventFeed, type EventFeed, type EventReader } from "../../server/live/event-feed.js";
import { createServerLog } from "../../server/server-log.js";
import { appendEvents } from "../../server/stores/event-store.js";
import type { Records } from "../../server/stores/tables.js";
import { databaseKind, openTestDatabase } from "./test-database.js";

/** So many further answers of the database, and what has not come by then never comes. */
const LOOKS = 40;

/** Holds answers with such rows back while it is closed, and counts all answers. */
class Gate implements KyselyPlugin {
	answerCount = 0;
	#closed: Promise<void> | undefined;
	#column = "";
	#open = () => {};
	#reached = () => {};

	/** For rows with that column. Resolves when an answer waits. */
	close(column: "id" | "details"): Promise<void> {
		this.#column = column;
		this.#closed = new Promise((resolve) => {
			this.#open = resolve;
		});
		return new Promise((resolve) => {
			this.#reached = resolve;
		});
	}

	open(): void {
		this.#closed = undefined;
		this.#open();
	}

	transformQuery: KyselyPlugin["transformQuery"] = ({ node }) => node;

	transformResult: KyselyPlugin["transformResult"] = async ({ result }) => {
		const [row] = result.rows;
		if (this.#closed !== undefined && row !== undefined && this.#column in (row as object)) {
			this.#reached();
			await this.#closed;
		}
		this.answerCount++;
		return result;
	};
}

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let db: Records;
let gate: Gate;
let feed: EventFeed;
beforeEach(async () => {
	database = await openTestDatabase();
	db = database.db;
	await append();
	gate = new Gate();
	const log = createServerLog({ logLevel: "silent" });
	feed = createEventFeed({ db: db.withPlugin(gate), log, pollMs: 2 });
});
afterEach(async () => {
	await database.close();
});

async function append(count = 1): Promise<void> {
	const event: LogEvent = { log: "fota", type: "boot_status", details: {} };
	await db.transaction().execute((transaction) => appendEvents(transaction, Array(count).fill(event), 1));
}

/** Ids of what comes behind `after`; none if nothing does. */
async function idsBehind(reader: EventReader, after: number): Promise<number[]> {
	const end = new AbortController();
	const enough = gate.answerCount + LOOKS;
	const watch = setInterval(() => {
		if (gate.answerCount >= enough) end.abort();
	}, 1);
	const events = await reader.next(after, end.signal);
	clearInterval(watch);
	return events.map(({ id }) => id);
}

/** A feed whose only reader left while it was asked for the events that there are. */
async function leaveDuringRead(): Promise<void> {
	const reader = feed.open();
	await reader.start();
	const held = gate.close("details");
	await append();
	await held;
	reader.close();
}

describe("a reader that comes", () => {
	it("after the last one left during the first look at the database begins anew, however much happened", async () => {
		const first = feed.open();
		const held = gate.close("id");
		const started = first.start();
		await held;
		first.close();
		gate.open();
		await started;
		await append(1001);
		const second = feed.open();
		const before = gate.answerCount;
		const after = await second.start();
		// One look, on PostgreSQL behind a lock, and none for a page of what happened while nobody was there.
		expect([after, gate.answerCount - before]).toEqual([1002, databaseKind === "SQLite" ? 1 : 2]);
		await append();
		expect(await idsBehind(second, after)).toEqual([1003]);
		second.close();
	});

	it("after the last one left while events were being read gets what happens", async () => {
		await leaveDuringRead();
		const before = gate.answerCount;
		gate.open();
		await expect.poll(() => gate.answerCount).toBe(before + 1);
		const reader = feed.open();
		const after = await reader.start();
		await append();
		expect(await idsBehind(reader, after)).toEqual([3]);
		reader.close();
	});

	it("while events are still being read for those before gets what happens", async () => {
		await leaveDuringRead();
		const reader = feed.open();
		gate.open();
		const after = await reader.start();
		await append();
		expect(await idsBehind(reader, after)).toEqual([3]);
		reader.close();
	});

	it("with an id that others are behind already gets them with the first look", async () => {
		const reader = feed.open();
		await append();
		expect(await idsBehind(reader, 0)).toEqual([1, 2]);
		reader.close();
	});
});
