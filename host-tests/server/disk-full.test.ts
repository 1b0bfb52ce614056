// A disk that takes nothing more, under a server on SQLite as an operator starts it: the system refuses each write of the
// process beyond a size (prlimit), and takes them again later. The process is the same all the time, and its log is on that
// disk as well.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/stores/database.js";
import { encodeStatusReport } from "../../src/protocol/status-report.js";
import { SERVER_TOKEN, ServerProcess } from "../support/server-process.js";
import { makeImage, makeReleaseKey, type ReleaseKey, signStatement, statementFor } from "./release-kit.js";
import { databaseKind } from "./test-database.js";
import { TestDevice } from "./test-device.js";

/** Less than the files have already: nothing can be written behind this. */
const FULL_BYTES = 4096;
const STATUS = "/api/inverter/fota/status";

let folder: string;
let server: ServerProcess;
let key: ReleaseKey;
let device: TestDevice;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-full-test-"));
	const logPath = join(folder, "server.log");
	server = await ServerProcess.start({ FOTA_DATA: folder, DATABASE_URL: "" }, { logPath });
	key = makeReleaseKey();
	expect(await post("/api/cloud/fota/release-keys", { public_key: key.publicKeyHex })).toBe("201");
	const answer = await fetch(`${server.url}/api/cloud/fota/devices`, {
		method: "POST",
		headers: { ...operator, "content-type": "application/json" },
		body: JSON.stringify({ device_id: "dev-1", device_type: "thermostat" }),
	});
	const { device_key: keyHex } = (await answer.json()) as { readonly device_key: string };
	device = new TestDevice({ deviceId: "dev-1", keyHex });
});
afterEach(async () => {
	await server?.kill();
	await rm(folder, { recursive: true });
});

const operator = { authorization: `Bearer ${SERVER_TOKEN}` };

/** The status; of a refusal also its code. */
async function outcomeOf(answer: Response): Promise<string> {
	const text = await answer.text();
	expect(text).not.toMatch(/SQLITE|EFBIG|fota-full-test/);
	if (answer.ok) return String(answer.status);
	if (answer.status === 503) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
	return `${answer.status} ${JSON.parse(text).code}`;
}

const get = async (path: string) => outcomeOf(await fetch(server.url + path, { headers: operator }));

async function post(path: string, body: object): Promise<string> {
	const headers = { ...operator, "content-type": "application/json" };
	return outcomeOf(await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function report(uptimeSeconds: number): Promise<string> {
	const body = encodeStatusReport({ ...device.idleReport(), uptimeSeconds });
	const headers = { authorization: device.authorization(STATUS, { method: "POST", body }) };
	return outcomeOf(await fetch(server.url + STATUS, { method: "POST", headers, body }));
}

async function poll(): Promise<string> {
	const target = device.manifestTarget();
	const headers = { authorization: device.authorization(target) };
	return outcomeOf(await fetch(server.url + target, { headers }));
}

async function upload(version: string): Promise<string> {
	const image = makeImage({ version, sizeBytes: 200_000 });
	return outcomeOf(
		await fetch(`${server.url}/api/cloud/fota/upload`, {
			method: "POST",
			headers: {
				...operator,
				"content-type": "application/octet-stream",
				"fota-release": signStatement(statementFor(image, { version }), key),
			},
			body: Buffer.from(image),
		}),
	);
}

function limitFiles(bytes: number | "unlimited"): void {
	execFileSync("prlimit", [`--pid=${server.pid}`, `--fsize=${bytes}:unlimited`]);
}

async function imageFiles(): Promise<string[]> {
	const entries = await readdir(join(folder, "images"), { recursive: true, withFileTypes: true });
	return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

function logMessages(): string[] {
	const lines = readFileSync(join(folder, "server.log"), "utf8").trimEnd().split("\n");
	return lines.map((line) => JSON.parse(line).msg);
}

async function integrity(): Promise<unknown> {
	const db = openDatabase(join(folder, "fota.db"));
	try {
		return (await sql`pragma integrity_check`.execute(db)).rows;
	} finally {
		await db.destroy();
	}
}

describe.runIf(databaseKind === "SQLite")("a full disk under SQLite", () => {
	it("is told to all, is no end, and is over when there is room", async () => {
		expect([await report(1), await poll(), await upload("1.1.0")]).toEqual(["200", "204", "201"]);
		expect(await get("/ready")).toBe("200");
		limitFiles(FULL_BYTES);
		for (const _ of [1, 2, 3]) {
			expect(await report(2)).toBe("503 server-unavailable");
			expect(await poll()).toBe("503 server-unavailable");
			expect(await upload("1.2.0")).toMatch(/^50[37] server-unavailable$/);
			expect(await post("/api/cloud/fota/devices", { device_id: "dev-2", device_type: "t" })).toBe(
				"503 server-unavailable",
			);
		}
		await expect.poll(() => get("/ready")).toBe("503 server-unavailable");
		expect(await get("/health")).toBe("200");
		// What is known is still to be read.
		expect(await get("/api/cloud/fota/status")).toBe("200");
		limitFiles("unlimited");
		await expect.poll(() => get("/ready")).toBe("200");
		expect([await report(3), await poll(), await upload("1.2.0")]).toEqual(["200", "200", "201"]);
		expect(await imageFiles()).toHaveLength(2);
		// What could not be written to the log came later.
		await expect.poll(logMessages).toContain("request failed");
		await server.kill();
		expect(await integrity()).toEqual([{ integrity_check: "ok" }]);
	});
});
