// What a restart keeps, what it cleans up, and the secrets of the server.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AppOptions } from "../../server/app.js";
import { makeReleaseKey, sha256 } from "./release-kit.js";
import { createRigApp, ServerRig, START_MS } from "./server-rig.js";

const HOUR_BEFORE_S = START_MS / 1000 - 3601;

async function imageNames(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true });
	return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

let dataDirectory: string;
beforeEach(async () => {
	dataDirectory = await mkdtemp(join(tmpdir(), "fota-data-test-"));
});
afterEach(() => rm(dataDirectory, { recursive: true }));

describe("a restart on the same data folder", () => {
	const releaseKey = makeReleaseKey();
	const start = (options: AppOptions = {}) => ServerRig.create({ dataDirectory, ...options }, releaseKey);

	it("keeps devices, nonces, releases, images, status, orders and logs", async () => {
		const before = await start();
		const device = await before.device();
		const image = await before.publish();
		await device.report(before.server, { state: "DOWNLOADING", uptimeSeconds: 77 });
		await device.send(before.server, "/api/inverter/fota/rollback-status", { nonce: 50 });
		await before.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason: "x" });
		const pages = [
			"/api/cloud/fota/status",
			"/api/cloud/fota/releases",
			"/api/cloud/logs/fota",
			"/api/cloud/logs/security",
		];
		const read = (rig: ServerRig) => Promise.all(pages.map(async (url) => (await rig.get(url)).json()));
		const seen = await read(before);
		await before.close();

		const after = await start();
		expect(await read(after)).toEqual(seen);
		const stale = await device.send(after.server, "/api/inverter/fota/rollback-status", { nonce: 50 });
		expect(stale.json().next_nonce).toBe(51);
		const chunk = await device.send(
			after.server,
			`/api/inverter/fota/chunk?chunk_number=0&hash=${sha256(image)}`,
			{ nonce: 51 },
		);
		expect(Buffer.from(chunk.json().data, "base64").equals(Buffer.from(image))).toBe(true);
		await after.close();
	});

	it("removes what an upload left that was cut short, and nothing else", async () => {
		const before = await start();
		const image = await before.publish();
		await before.close();
		const images = join(dataDirectory, "images");
		const orphan = "ab".repeat(32);
		await mkdir(join(images, "ab"), { recursive: true });
		await writeFile(join(images, "ab", `${orphan}.bin`), "orphan");
		await writeFile(join(images, "incoming", "half"), "half an image");
		await writeFile(join(images, "ab", "notes.txt"), "an operator's own file");
		// Younger than an hour, it may be an upload that another server is about to end.
		await (await start()).close();
		expect(await imageNames(images)).toHaveLength(4);
		for (const path of [join("ab", `${orphan}.bin`), join("ab", "notes.txt"), join("incoming", "half")])
			await utimes(join(images, path), HOUR_BEFORE_S, HOUR_BEFORE_S);
		await (await start()).close();
		expect((await imageNames(images)).sort()).toEqual([`${sha256(image)}.bin`, "notes.txt"].sort());
	});

	it("serves on when an image file is missing, and takes it again by a repeated upload", async () => {
		const rig = await start();
		const device = await rig.device();
		const image = await rig.publish();
		const hash = sha256(image);
		await rm(join(dataDirectory, "images", hash.slice(0, 2), `${hash}.bin`));
		const fetchChunk = () =>
			device.send(
				rig.server,
				`/api/inverter/fota/chunk?chunk_number=0&count=1&chunk_size=4096&hash=${hash}`,
				{
					headers: { accept: "application/vnd.fota.chunks" },
				},
			);
		const missing = await fetchChunk();
		expect([missing.statusCode, missing.json().code]).toEqual([500, "server-failed"]);
		expect(missing.headers["retry-after"]).toBeUndefined();
		await rig.publish();
		expect((await fetchChunk()).statusCode).toBe(200);
		await rig.close();
	});
});

describe("the server's secrets", () => {
	const start = async (options: AppOptions = {}) => {
		const secrets = { adminToken: undefined, masterKey: undefined };
		return (await createRigApp({ dataDirectory, ...secrets, ...options })).app;
	};

	it("are made at the first start, in files only the server's user can read, and kept", async () => {
		const first = await start();
		await first.close();
		for (const name of ["master-key", "admin-token", "jwt-secret"]) {
			expect((await stat(join(dataDirectory, name))).mode & 0o777).toBe(0o600);
			expect((await readFile(join(dataDirectory, name), "utf8")).trim()).toMatch(/^[0-9a-f]{64}$/);
		}
		const masterKey = await readFile(join(dataDirectory, "master-key"), "utf8");
		const second = await start();
		expect(second.adminToken).toBe(first.adminToken);
		expect(await readFile(join(dataDirectory, "master-key"), "utf8")).toBe(masterKey);
		await second.close();
		expect((await readdir(dataDirectory)).sort()).toEqual(
			expect.arrayContaining(["admin-token", "images", "jwt-secret", "master-key"]),
		);
		expect((await readdir(dataDirectory)).filter((name) => name.endsWith(".new"))).toEqual([]);
	});

	it("never get a new master key in place of one that devices depend on", async () => {
		const path = join(dataDirectory, "master-key");
		const before = await ServerRig.create({ dataDirectory, masterKey: undefined });
		await before.device("imported", { device_key: "5e".repeat(32) });
		await before.close();
		// An imported key does not come from the master key: nothing would be lost.
		await rm(path);
		const between = await ServerRig.create({ dataDirectory, masterKey: undefined });
		await between.device("derived");
		await between.close();
		const key = await readFile(path, "utf8");
		await rm(path);

		const message = expect.stringMatching(/master-key is missing.*1 registered.*backup.*fota provision/);
		await expect(start()).rejects.toMatchObject({ code: "server-failed", message });
		expect(await readdir(dataDirectory)).not.toContain("master-key");
		await writeFile(path, key, { mode: 0o600 });
		await (await start()).close();
	});

	it("are refused by the name of their file when it cannot be read", async () => {
		await mkdir(join(dataDirectory, "admin-token"));
		const message = expect.stringMatching(/admin-token cannot be read by this user \(EISDIR\)/);
		await expect(start()).rejects.toMatchObject({ code: "server-failed", message });
	});

	it("given by the environment are not written down", async () => {
		const app = await start({ adminToken: "from-the-environment", masterKey: Buffer.alloc(32, 1) });
		expect(app.adminToken).toBe("from-the-environment");
		await app.close();
		expect(await readdir(dataDirectory)).not.toContain("admin-token");
		expect(await readdir(dataDirectory)).not.toContain("master-key");
	});

	it("that are weak or damaged stop the start", async () => {
		await expect(start({ adminToken: "short" })).rejects.toMatchObject({ code: "request-malformed" });
		await writeFile(join(dataDirectory, "master-key"), "0011");
		await expect(start()).rejects.toMatchObject({ code: "request-malformed" });
	});

	it("never come into the log, whatever is sent", async () => {
		let log = "";
		const rig = await ServerRig.create({
			dataDirectory,
			logLevel: "trace",
			logStream: {
				write(line: string) {
					log += line;
				},
			},
		});
		const device = await rig.device();
		const imported = await rig.device("dev-2", { device_key: "5e".repeat(32) });
		await device.report(rig.server);
		await device.send(rig.server, "/api/inverter/fota/status", { method: "POST", body: "{" });
		await imported.manifest(rig.server);
		await rig.publish();
		await rig.server.inject({
			url: "/api/cloud/fota/status",
			headers: { authorization: "Bearer wrong-but-secret" },
		});
		await rig.post("/api/cloud/fota/devices", { device_id: "!", device_key: "5e".repeat(32) });
		await rig.close();
		expect(log).toContain("/api/inverter/fota/status");
		const secrets = [
			rig.app.adminToken,
			device.key.toString("hex"),
			imported.key.toString("hex"),
			Buffer.alloc(32, 7).toString("hex"),
			"wrong-but-secret",
			"FOTA-HMAC",
		];
		for (const secret of secrets) expect(log).not.toContain(secret);
	});
});
