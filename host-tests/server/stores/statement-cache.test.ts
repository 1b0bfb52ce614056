// Statements that are kept instead of prepared anew: which, for how long, and that they behave as new ones do.
import { Kysely, SqliteDialect, sql } from "kysely";
import Database from "libsql";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepStatements, type LibsqlDatabase } from "../../../server/stores/statement-cache.js";

interface Tables {
	things: { id: number; name: string; more?: string };
}

let db: Kysely<Tables>;
/** Texts that libsql had to prepare. */
let prepared: string[];
beforeEach(async () => {
	const database = new Database(":memory:") as unknown as LibsqlDatabase;
	prepared = [];
	const counted: LibsqlDatabase = {
		get inTransaction() {
			return database.inTransaction;
		},
		close: () => database.close(),
		prepare(text) {
			prepared.push(text);
			return database.prepare(text);
		},
	};
	db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: keepStatements(counted) }) });
	await sql`create table things (id integer primary key, name text not null)`.execute(db);
	prepared.length = 0;
});
afterEach(() => db.destroy());

const add = (id: number, name = "n") => db.insertInto("things").values({ id, name }).execute();
const names = async () =>
	(await db.selectFrom("things").selectAll().orderBy("id").execute()).map(({ name }) => name);

describe("statements of a SQLite database", () => {
	it("are prepared once, and see what was written between two runs", async () => {
		for (let id = 1; id <= 5; id++) {
			await db.transaction().execute((transaction) =>
				transaction
					.insertInto("things")
					.values({ id, name: `n${id}` })
					.execute(),
			);
			expect(await names()).toHaveLength(id);
		}
		expect(prepared).toHaveLength(4);
		expect(new Set(prepared).size).toBe(4);
	});

	it("read every row, be they as many as libsql brings at a time, fewer or more", async () => {
		for (const count of [99, 100, 101, 200, 201]) {
			await db.deleteFrom("things").execute();
			for (let id = 1; id <= count; id++) await add(id);
			expect(await names()).toHaveLength(count);
			expect(await names()).toHaveLength(count);
		}
	});

	it("are run again after one failed, in the same transaction and in the next", async () => {
		await add(1);
		const failing = db.transaction().execute(async (transaction) => {
			await transaction.insertInto("things").values({ id: 2, name: "b" }).execute();
			await transaction.insertInto("things").values({ id: 1, name: "a" }).execute();
		});
		await expect(failing).rejects.toThrow(/UNIQUE/);
		expect(await names()).toEqual(["n"]);
		await add(2, "later");
		expect(await names()).toEqual(["n", "later"]);
	});

	it("fail for what was the matter where SQLite had ended the transaction itself", async () => {
		await sql`pragma max_page_count = 20`.execute(db);
		const fill = db.transaction().execute(async (transaction) => {
			for (let id = 1; id <= 1000; id++)
				await transaction
					.insertInto("things")
					.values({ id, name: "n".repeat(500) })
					.execute();
		});
		await expect(fill).rejects.toMatchObject({ code: "SQLITE_FULL" });
		expect(await names()).toEqual([]);
		await add(1);
		expect(await names()).toEqual(["n"]);
	});

	it("are prepared anew after a change of the tables", async () => {
		await add(1);
		expect(await names()).toEqual(["n"]);
		await sql`alter table things add column more text default 'm'`.execute(db);
		expect(await db.selectFrom("things").selectAll().execute()).toEqual([{ id: 1, name: "n", more: "m" }]);
	});

	it("are forgotten when many others came", async () => {
		const ask = (count: number) => sql.raw(`select ${count}`).execute(db);
		await ask(0);
		for (let count = 1; count <= 199; count++) await ask(count);
		prepared.length = 0;
		await ask(0);
		expect(prepared).toEqual([]);
		for (let count = 200; count <= 400; count++) await ask(count);
		prepared.length = 0;
		await ask(0);
		expect(prepared).toEqual(["select 0"]);
	});
});
