// Single values that all servers on a database share, each set once by whoever comes first.
import type { Records } from "./tables.js";

export type FactName = "master-key-fingerprint";

/** Sets the value unless there is one; returns the one that counts. */
export async function settleFact(db: Records, name: FactName, value: string): Promise<string> {
	await db
		.insertInto("server_facts")
		.values({ name, value })
		.onConflict((conflict) => conflict.doNothing())
		.execute();
	const row = await db
		.selectFrom("server_facts")
		.select("value")
		.where("name", "=", name)
		.executeTakeFirstOrThrow();
	return row.value;
}

export async function replaceFact(db: Records, name: FactName, value: string): Promise<void> {
	await db.updateTable("server_facts").set({ value }).where("name", "=", name).execute();
}
