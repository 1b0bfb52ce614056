// kill -9 at random moments under load: whatever was answered with success is there after the restart.
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { encodeStatusReport } from "../../src/protocol/status-report.js";
import { makeDatabase } from "../support/postgres.js";
import { SERVER_TOKEN, ServerProcess } from "../support/server-process.js";
import { makeImage, makeReleaseKey, sha256, signStatement, statementFor } from "./release-kit.js";
import { databaseKind } from "./test-database.js";
import { TestDevice } from "./test-device.js";

/** Each costs a start of the server. */
const KILLS = databaseKind === "SQLite" ? 6 : 4;
const DEVICES = 3;
/** FOTA_CRASH_SEED repeats a run. */
const seed = Number(process.env.FOTA_CRASH_SEED ?? Date.now() % 100_000);

/** From 0 to 1 (mulberry32). */
function randomFrom(state: number): () => number {
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

let folder: string;
let databaseUrl: string;
let server: ServerProcess | undefined;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-crash-test-"));
	const serverUrl = inject("postgresUrl");
	databaseUrl = serverUrl === undefined ? "" : await makeDatabase(serverUrl, `c_${randomUUID()}`);
});
afterEach(async () => {
	await kill();
	await rm(folder, { recursive: true });
});

async function start(): Promise<string> {
	server = await ServerProcess.start({ FOTA_DATA: folder, DATABASE_URL: databaseUrl });
	return server.url;
}

async function kill(): Promise<void> {
	await server?.kill();
}

const headers = { authorization: `Bearer ${SERVER_TOKEN}` };

interface Answer {
	readonly device_key: string;
	readonly devices: readonly { readonly device_id: string; readonly uptime_s?: number }[];
	readonly releases: readonly { readonly version: string; readonly hash: string }[];
}

async function ask(url: string, payload?: object) {
	const answer = await fetch(url, {
		headers: { ...headers, ...(payload && { "content-type": "application/json" }) },
		...(payload && { method: "POST", body: JSON.stringify(payload) }),
	});
	expect(answer.status).toBeLessThan(300);
	return (await answer.json()) as Answer;
}

/** Reports until the server is gone; returns the last one that was accepted. */
async function reportUntilGone(url: string, device: TestDevice, from: number): Promise<number> {
	const path = "/api/inverter/fota/status";
	let accepted = from;
	for (;;) {
		const body = encodeStatusReport({ ...device.idleReport(), uptimeSeconds: accepted + 1 });
		const authorization = device.authorization(path, { method: "POST", body });
		try {
			const answer = await fetch(url + path, { method: "POST", body, headers: { authorization } });
			await answer.arrayBuffer();
			if (answer.status === 200) accepted++;
		} catch {
			return accepted;
		}
	}
}

describe("a server that is killed at any moment", () => {
	it(`has every report and every upload that it accepted (seed ${seed})`, { timeout: 900_000 }, async () => {
		const random = randomFrom(seed);
		const key = makeReleaseKey();
		let url = await start();
		await ask(`${url}/api/cloud/fota/release-keys`, { public_key: key.publicKeyHex });
		const devices = await Promise.all(
			Array.from({ length: DEVICES }, async (_, i) => {
				const body = { device_id: `dev-${i}`, device_type: "thermostat" };
				const { device_key: keyHex } = await ask(`${url}/api/cloud/fota/devices`, body);
				return new TestDevice({ deviceId: body.device_id, keyHex });
			}),
		);
		const accepted = new Map(devices.map((device) => [device, 0]));
		const uploads: { readonly version: string; readonly hash: string }[] = [];
		let uploadCount = 0;
		const uploadUntilGone = async (base: string) => {
			for (;;) {
				const version = `1.0.${uploadCount++}`;
				const image = makeImage({ version, sizeBytes: 200_000, seed: uploadCount });
				const release = signStatement(statementFor(image, { version }), key);
				try {
					const answer = await fetch(`${base}/api/cloud/fota/upload`, {
						method: "POST",
						headers: { ...headers, "content-type": "application/octet-stream", "fota-release": release },
						body: Buffer.from(image),
					});
					await answer.arrayBuffer();
					expect(answer.status).toBe(201);
					uploads.push({ version, hash: sha256(image) });
				} catch (error) {
					// Cut by the kill; anything that was answered must be a success.
					if (error instanceof TypeError) return;
					throw error;
				}
			}
		};
		for (let round = 1; round <= KILLS; round++) {
			const base = url;
			const load = devices.map(async (device) => {
				accepted.set(device, await reportUntilGone(base, device, accepted.get(device) ?? 0));
			});
			const before = uploads.length;
			const uploading = uploadUntilGone(base);
			// In every other round something was answered before the kill, however slow the machine is.
			if (round % 2 === 1) await expect.poll(() => uploads.length).toBeGreaterThan(before);
			await new Promise((resolve) => setTimeout(resolve, 100 + random() * 900));
			await kill();
			await Promise.all([...load, uploading]);
			url = await start();
			const where = `kill ${round} of seed ${seed}`;
			const { devices: rows } = await ask(`${url}/api/cloud/fota/status`);
			for (const [device, last] of accepted) {
				const uptime = rows.find(({ device_id: id }) => id === device.deviceId)?.uptime_s ?? 0;
				// One more may have been recorded whose answer was lost.
				expect(uptime, where).toBeGreaterThanOrEqual(last);
				expect(uptime, where).toBeLessThanOrEqual(last + 1);
				accepted.set(device, uptime);
			}
			const { releases } = await ask(`${url}/api/cloud/fota/releases?limit=500`);
			const hashes = new Map(releases.map((one) => [one.version, one.hash]));
			for (const { version, hash } of uploads) expect(hashes.get(version), where).toBe(hash);
			for (const hash of hashes.values()) {
				const image = await readFile(join(folder, "images", String(hash).slice(0, 2), `${hash}.bin`));
				expect(sha256(image), where).toBe(hash);
			}
		}
		expect(Math.min(...accepted.values())).toBeGreaterThan(0);
		expect(uploads.length).toBeGreaterThan(0);
	});
});
