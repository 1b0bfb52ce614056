// Texts that no database can keep as they are (NUL, half surrogate pairs): refused before anything asks or writes, on
// either database alike.
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toProblem } from "../../server/routes/problems.js";
import { IN_MEMORY, openDatabase } from "../../server/stores/database.js";
import { FORM_TYPE, fieldsOf, fileOf, formOf } from "./form-rig.js";
import { callAs } from "./operators.js";
import { ADMIN_TOKEN, problemOf, ServerRig } from "./server-rig.js";
import { databaseKind, testDatabase } from "./test-database.js";

let rig: ServerRig;
beforeAll(async () => {
	rig = await ServerRig.create();
});
afterAll(() => rig.close());

const HALF = "\ud800";

describe("a text that cannot be stored", () => {
	it.each([
		"/api/devices?version=%00",
		"/api/releases/exposure?device_type=thermostat&version=1%00",
		"/api/ota/admin/firmware?version=%00",
	])("is refused in a query: %s", async (url) => {
		expect(problemOf(await rig.get(url))).toBe("400 request-malformed");
	});

	it.each(["\0", HALF])("is refused in a body, however deep: %j", async (text) => {
		const bodies = [{ note: `a${text}b` }, { tags: ["a", text] }, { [text]: 1 }];
		await rig.device("deep");
		for (const body of bodies) {
			const answer = await rig.change("PATCH", "/api/devices/deep", body);
			expect([body, problemOf(answer)]).toEqual([body, "400 request-malformed"]);
		}
		const logIn = { method: "POST", payload: { name: "admin", password: `password ${text}` } } as const;
		expect(problemOf(await callAs(rig, undefined, "/api/auth/login", logIn))).toBe("400 request-malformed");
	});

	it("is refused in a form", async () => {
		const fields = fieldsOf({ release: "a.b.c", project_name: "a\0b" });
		const answer = await rig.server.inject({
			method: "POST",
			url: "/api/ota/admin/upload",
			headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": FORM_TYPE },
			payload: formOf([...fields, fileOf(Buffer.alloc(64))]),
		});
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(answer.json().detail).toContain("character");
	});

	it("is refused to a device with a MAC on the answer, like all that it gets wrong", async () => {
		const device = await rig.device("sender");
		const answer = await device.send(rig.server, device.manifestTarget("%00"));
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(device.hasRightMac(answer)).toBe(true);
	});

	it("is the asker's fault as well where only the database notices", async () => {
		const database = await testDatabase();
		const db = openDatabase(database.url ?? IN_MEMORY);
		const asked = sql`select ${"\0"} as text`.execute(db).then(
			() => undefined,
			(error: Error) => toProblem(error).status,
		);
		expect(await asked).toBe(databaseKind === "SQLite" ? undefined : 400);
		await db.destroy();
		await database.remove();
		for (const code of ["22021", "22P05"])
			expect(toProblem(Object.assign(new Error("refused"), { code }))).toMatchObject({
				status: 400,
				code: "request-malformed",
			});
	});
});
