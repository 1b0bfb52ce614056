// Backup under load and restore, on both databases; and what a restore refuses.
import { randomUUID } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { createApp } from "../../../server/app.js";
import { runCommand } from "../../../server/commands/command-line.js";
import { parseSettings } from "../../../server/settings.js";
import { MIGRATIONS } from "../../../server/stores/migrate.js";
import { makeDatabase } from "../../support/postgres.js";
import { callAs, logIn, makeUser } from "../operators.js";
import { sha256 } from "../release-kit.js";
import { ServerRig } from "../server-rig.js";
import { databaseKind } from "../test-database.js";

let folder: string;
let rigs: ServerRig[];
let said: string[];
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-backup-test-"));
	rigs = [];
	said = [];
});
afterEach(async () => {
	await Promise.all(rigs.map((rig) => rig.close()));
	await rm(folder, { recursive: true });
});

/** A place for a server: data folder, and on PostgreSQL an empty database. */
async function place(name: string, environment: Record<string, string> = {}) {
	const serverUrl = inject("postgresUrl");
	const DATABASE_URL = serverUrl === undefined ? "" : await makeDatabase(serverUrl, `b_${randomUUID()}`);
	return parseSettings({ FOTA_DATA: join(folder, name), DATABASE_URL, ...environment });
}

async function serve({ app }: Awaited<ReturnType<typeof place>>): Promise<ServerRig> {
	const rig = await ServerRig.create({ dataDirectory: app.dataDirectory, databaseUrl: app.databaseUrl });
	rigs.push(rig);
	return rig;
}

const run = (settings: Awaited<ReturnType<typeof place>>, ...words: string[]) =>
	runCommand(words, { settings, say: (line) => void said.push(line) });

describe("a backup", () => {
	it("made under load holds every report that was accepted before it began, and every image", async () => {
		const [from, to] = [await place("from"), await place("to")];
		const rig = await serve(from);
		const images = [await rig.publish(), await rig.publish({ version: "1.2.0", seed: 5 })];
		const devices = await Promise.all(Array.from({ length: 4 }, (_, i) => rig.device(`dev-${i}`)));
		const accepted = new Map<string, number>();
		let isOver = false;
		const load = devices.map(async (device) => {
			for (let uptimeSeconds = 1; !isOver; uptimeSeconds++) {
				const answer = await device.report(rig.server, { uptimeSeconds });
				if (answer.statusCode === 200) accepted.set(device.deviceId, uptimeSeconds);
				// The backup is made in this very process.
				await new Promise((resolve) => setImmediate(resolve));
			}
		});
		await expect.poll(() => accepted.size).toBe(4);
		const before = new Map(accepted);
		await run(from, "backup", join(folder, "backup"));
		isOver = true;
		await Promise.all(load);
		await run(to, "restore", join(folder, "backup"));
		const restored = await serve(to);
		const { devices: rows } = (await restored.get("/api/cloud/fota/status")).json();
		for (const { device_id: id, uptime_s: uptime } of rows)
			expect(uptime).toBeGreaterThanOrEqual(before.get(id) ?? 0);
		expect(rows).toHaveLength(4);
		for (const device of devices) expect((await device.report(restored.server)).statusCode).toBe(200);
		const names = await readdir(join(to.app.dataDirectory, "images"), { recursive: true });
		for (const image of images) {
			const hash = sha256(image);
			expect(names).toContain(join(hash.slice(0, 2), `${hash}.bin`));
		}
	});

	it("brings nobody's session back", async () => {
		const [from, to] = [await place("from"), await place("to")];
		const rig = await serve(from);
		const { refresh_token } = await makeUser(rig, "olga", "operator");
		await run(from, "backup", join(folder, "backup"));
		await run(to, "restore", join(folder, "backup"));
		const restored = await serve(to);
		const payload = { refresh_token };
		expect(
			(await callAs(restored, undefined, "/api/auth/refresh", { method: "POST", payload })).statusCode,
		).toBe(401);
		expect((await logIn(restored, "olga")).statusCode).toBe(200);
		const names = await readdir(to.app.dataDirectory);
		expect(names.filter((name) => name.includes("restoring"))).toEqual([]);
	});

	it.runIf(databaseKind === "SQLite")("is not restored beside what another database left", async () => {
		const [from, to] = [await place("from"), await place("to")];
		const rig = await serve(from);
		await rig.device("kept");
		await run(from, "backup", join(folder, "backup"));
		for (let i = 0; i < 20; i++) await rig.device(`later-${i}`);
		// As after a crash, where the damaged file alone was taken away.
		const left = join(to.app.dataDirectory, "fota.db-wal");
		await mkdir(to.app.dataDirectory);
		await copyFile(join(from.app.dataDirectory, "fota.db-wal"), left);
		await expect(run(to, "restore", join(folder, "backup"))).rejects.toMatchObject({
			code: "request-malformed",
			message: expect.stringContaining(`${left} is there already`),
		});
		await rm(left);
		await run(to, "restore", join(folder, "backup"));
		const restored = await serve(to);
		const { devices } = (await restored.get("/api/devices")).json();
		expect(devices.map((device: { device_id: string }) => device.device_id)).toEqual(["kept"]);
	});

	it("leaves what has a name like its own draft, tells of one that was left, and clears its own away when it fails", async () => {
		const from = await place("from");
		await serve(from);
		for (const name of ["backup.partial", "backup.partial-abcdef"]) {
			await mkdir(join(folder, name));
			await writeFile(join(folder, name, "precious"), "");
		}
		await run(from, "backup", join(folder, "backup"));
		// Its image is missing.
		await rigs[0]?.publish();
		await rm(join(from.app.dataDirectory, "images"), { recursive: true });
		await expect(run(from, "backup", join(folder, "failed"))).rejects.toThrow();
		const names = ["backup", "backup.partial", "backup.partial-abcdef"];
		expect((await readdir(folder)).filter((name) => name !== "from").sort()).toEqual(names);
		for (const name of names.slice(1)) expect(await readdir(join(folder, name))).toEqual(["precious"]);
		expect(said.join("\n")).toMatch(/backup\.partial-abcdef is of a backup that has not ended/);
	});

	it("has the secrets only where it is asked for them, and says so loudly", async () => {
		const [from, to] = [await place("from"), await place("to")];
		await serve(from);
		await writeFile(join(from.app.dataDirectory, "master-key"), `${"07".repeat(32)}\n`);
		await run(from, "backup", join(folder, "plain"));
		expect(await readdir(join(folder, "plain"))).not.toContain("secrets");
		expect(said.join("\n")).toContain("master key is NOT in this backup");
		await run(from, "backup", join(folder, "full"), "--with-secrets");
		expect(said.join("\n")).toContain("WITH SECRETS");
		expect((await stat(join(folder, "full"))).mode & 0o077).toBe(0);
		await run(to, "restore", join(folder, "full"));
		const path = join(to.app.dataDirectory, "master-key");
		expect(await readFile(path, "utf8")).toBe(`${"07".repeat(32)}\n`);
		expect((await stat(path)).mode & 0o077).toBe(0);
	});

	it("has the secrets that come from the environment, and a restore warns where others are in place", async () => {
		const [masterKey, jwtSecret] = ["0a".repeat(32), "0b".repeat(32)];
		const from = await place("from", { FOTA_MASTER_KEY: masterKey, FOTA_JWT_SECRET: jwtSecret });
		await serve(from);
		// Not what counts: the environment takes its place.
		await writeFile(join(from.app.dataDirectory, "master-key"), `${"0c".repeat(32)}\n`);
		await run(from, "backup", join(folder, "full"), "--with-secrets");
		expect(said.join("\n")).toMatch(/WITH SECRETS \(master-key, jwt-secret/);
		const to = await place("to");
		await run(to, "restore", join(folder, "full"));
		expect(await readFile(join(to.app.dataDirectory, "master-key"), "utf8")).toBe(`${masterKey}\n`);
		expect(await readFile(join(to.app.dataDirectory, "jwt-secret"), "utf8")).toBe(`${jwtSecret}\n`);
		said = [];
		await run(await place("same", { FOTA_MASTER_KEY: masterKey }), "restore", join(folder, "full"));
		expect(said.join("\n")).not.toContain("WARNING");
		await run(await place("other", { FOTA_MASTER_KEY: "0d".repeat(32) }), "restore", join(folder, "full"));
		expect(said.join("\n")).toMatch(/WARNING: the master-key in place .*locked out/);
	});

	it("is not made with secrets where there is no master key, and a restore misses it where it is gone", async () => {
		const from = await place("from");
		await serve(from);
		await rm(join(from.app.dataDirectory, "master-key"), { force: true });
		const message = expect.stringContaining("no master key to back up");
		await expect(run(from, "backup", join(folder, "none"), "--with-secrets")).rejects.toMatchObject({
			message,
		});
		expect(await readdir(folder)).not.toContain("none");
		await writeFile(join(from.app.dataDirectory, "master-key"), `${"07".repeat(32)}\n`);
		await run(from, "backup", join(folder, "full"), "--with-secrets");
		await rm(join(folder, "full", "secrets", "master-key"));
		await run(await place("to"), "restore", join(folder, "full"));
		expect(said.join("\n")).toContain("The backup has no master key");
	});

	it("replaces nothing, and a restore neither", async () => {
		const from = await place("from");
		await serve(from);
		await run(from, "backup", join(folder, "backup"));
		const refused = { code: "request-malformed" };
		await expect(run(from, "backup", join(folder, "backup"))).rejects.toMatchObject(refused);
		await expect(run(from, "restore", join(folder, "backup"))).rejects.toMatchObject(refused);
		await expect(run(await place("to"), "restore", folder)).rejects.toMatchObject(refused);
	});

	it("that was damaged is refused, and leaves no database", async () => {
		const from = await place("from");
		await (await serve(from)).publish();
		await run(from, "backup", join(folder, "backup"));
		const [name = ""] = await readdir(join(folder, "backup", "images"));
		const path = join(folder, "backup", "images", name);
		const image = await readFile(path);
		await writeFile(path, image.fill(0xa5, 5000, 5010));
		const to = await place("to");
		await expect(run(to, "restore", join(folder, "backup"))).rejects.toMatchObject({ code: "server-failed" });
		expect(await readdir(to.app.dataDirectory)).not.toContain("fota.db");
	});
});

describe("migrate", () => {
	it("says what there is, goes a step down and up again", async () => {
		const settings = await place("m");
		await (await createApp(settings.app)).close();
		await run(settings, "migrate", "down");
		const last = Object.keys(MIGRATIONS).at(-1);
		expect(said[0]).toBe(`taken back: ${last}`);
		expect(said.at(-1)).toBe(`${last}  missing`);
		said = [];
		await run(settings, "migrate", "up");
		expect(said[0]).toBe(`made: ${last}`);
		said = [];
		await run(settings, "migrate", "up");
		expect(said[0]).toBe("nothing to do");
		await run(settings, "migrate", "status");
		expect(said.filter((line) => line.endsWith("missing"))).toEqual([]);
	});

	it.runIf(databaseKind === "SQLite").each(["up", "down"])(
		"%s is refused while a server runs",
		async (way) => {
			const settings = await place("m");
			const app = await createApp(settings.app);
			try {
				await expect(run(settings, "migrate", way)).rejects.toMatchObject({ code: "server-unavailable" });
				await run(settings, "migrate", "status");
				expect(said.filter((line) => line.endsWith("missing"))).toEqual([]);
			} finally {
				await app.close();
			}
		},
	);

	it.each([["--help"], ["-h"], ["help"], ["backup", "--help"]])(
		"%s %s says what there is, and does nothing",
		async (...words) => {
			const settings = await place("m");
			await run(settings, ...words);
			const [help = ""] = said;
			for (const command of ["backup FOLDER", "restore FOLDER", "migrate status"])
				expect(help).toContain(command);
			expect(await readdir(settings.app.dataDirectory).catch(() => [])).toEqual([]);
		},
	);

	it.runIf(databaseKind === "SQLite").each([
		["backup", "b"],
		["migrate", "status"],
		["migrate", "up"],
	])("%s %s says where there is no database, and makes none", async (...words) => {
		const settings = await place("nowhere");
		await expect(run(settings, ...words)).rejects.toMatchObject({
			message: expect.stringMatching(/there is no database .*nowhere.*FOTA_DATA/),
		});
		expect(await readdir(folder)).toEqual([]);
	});

	it.each([
		["migrate"],
		["migrate", "sideways"],
		["backup"],
		["restore", "a", "b"],
		["serve", "x"],
		["backup", "--no"],
	])("%s %s is no command, and is answered with those there are", async (...words) => {
		const settings = await place("m");
		await serve(settings);
		await expect(run(settings, ...words)).rejects.toMatchObject({
			message: expect.stringContaining("usage:"),
		});
	});
});
