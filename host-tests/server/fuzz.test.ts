// Garbage to every route: never a fault of the server. A failure prints the seed that replays it.
import fc from "fast-check";
import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHUNK_PATH } from "../../src/protocol/chunk-frames.js";
import { MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { encodeStatusReport, STATUS_PATH } from "../../src/protocol/status-report.js";
import { sha256 } from "./release-kit.js";
import { ADMIN_TOKEN, ServerRig } from "./server-rig.js";
import { databaseKind } from "./test-database.js";
import type { TestDevice } from "./test-device.js";

/** Fewer on the second database: there it is about what reaches its statements. */
const RUNS = { numRuns: databaseKind === "SQLite" ? 150 : 50 };
let rig: ServerRig;
let device: TestDevice;
let hash: string;
beforeAll(async () => {
	rig = await ServerRig.create({ legacyDeviceTypes: ["thermostat"] });
	device = await rig.device();
	hash = sha256(await rig.publish());
});
afterAll(() => rig.close());

const numberText = fc.oneof(
	fc.integer().map(String),
	fc.double().map(String),
	fc.constantFrom("0", "1", "4096", "1024", "-0", "1e9", "0x10", "9007199254740993", "", " 1"),
);
const value = fc.oneof(
	fc.string({ unit: "binary", maxLength: 60 }),
	numberText,
	fc.constantFrom("esp32", "thermostat", "1.0.0", "\0", "1.0.0\0", "a\0b"),
);
const query = (names: readonly string[]) =>
	fc
		.array(fc.tuple(fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 8 })), value), {
			maxLength: 6,
		})
		.map((pairs) => pairs.map(([name, text]) => `${encode(name)}=${encode(text)}`).join("&"));

// The quote as well: inject() would change it on the way, and with it what is MACed.
function encode(text: string): string {
	return encodeURIComponent(text).replaceAll("'", "%27");
}

/** Never a fault of the server, always a problem with a code where it is refused. */
function expectAnswered(answer: { statusCode: number; body: string; headers: object }): void {
	expect(answer.statusCode).toBeLessThan(500);
	if (answer.statusCode < 400) return;
	expect(answer.headers).toMatchObject({ "content-type": "application/problem+json" });
	expect(JSON.parse(answer.body)).toMatchObject({
		status: answer.statusCode,
		code: expect.stringMatching(/^[a-z-]+$/),
	});
}

describe("whatever is sent, the server answers with a proper status:", () => {
	it("queries of a known device", async () => {
		const names = ["device_type", "chip", "version", "chunk_size", "chunk_number", "count", "hash"];
		await fc.assert(
			fc.asyncProperty(
				fc.constantFrom(MANIFEST_PATH, CHUNK_PATH),
				query(names),
				fc.boolean(),
				async (path, text, isFrames) => {
					const answer = await device.send(rig.server, `${path}?hash=${hash}&${text}`, {
						headers: { accept: isFrames ? "application/vnd.fota.chunks" : "*/*" },
					});
					expectAnswered(answer);
					if (answer.statusCode >= 400) expect(device.hasRightMac(answer)).toBe(true);
				},
			),
			RUNS,
		);
	});

	it("bodies of a known device", async () => {
		const report = encodeStatusReport(device.idleReport());
		const changed = fc
			.tuple(
				fc.constantFrom(...Object.keys(JSON.parse(report) as object), "error_code", "target_version"),
				fc.jsonValue(),
			)
			.map(([name, json]) => JSON.stringify({ ...JSON.parse(report), [name]: json }));
		const body = fc.oneof(fc.json(), fc.string(), changed, fc.uint8Array({ maxLength: 200 }));
		await fc.assert(
			fc.asyncProperty(body, async (payload) => {
				const answer = await device.send(rig.server, STATUS_PATH, { method: "POST", body: payload });
				expectAnswered(answer);
				expect(device.hasRightMac(answer) || answer.statusCode === 413).toBe(true);
			}),
			RUNS,
		);
	});

	it("credentials of strangers", async () => {
		const header = fc.oneof(
			fc.string({ unit: "grapheme-ascii" }),
			fc
				.tuple(value, value, value)
				.map(
					([id, nonce, mac]) =>
						`FOTA-HMAC-SHA256 device="${encode(id)}", nonce="${encode(nonce)}", mac="${encode(mac)}"`,
				),
		);
		await fc.assert(
			fc.asyncProperty(header, fc.string({ unit: "grapheme-ascii" }), async (authorization, id) => {
				const headers = { authorization, "device-id": id };
				const answer = await rig.server.inject({ url: MANIFEST_PATH, headers });
				expectAnswered(answer);
				expect(answer.statusCode).toBe(401);
			}),
			RUNS,
		);
	});

	it("bodies, queries and paths of an operator", async () => {
		const route = fc.constantFrom<[InjectOptions["method"] & string, string]>(
			["POST", "/api/cloud/fota/upload"],
			["POST", "/api/cloud/fota/devices"],
			["POST", "/api/cloud/fota/rollback"],
			["POST", "/api/cloud/fota/release-keys"],
			["POST", "/api/cloud/fota/releases/1/deactivate"],
			["GET", "/api/cloud/fota/releases"],
			["GET", "/api/cloud/fota/devices"],
			["GET", "/api/cloud/fota/status"],
			["GET", "/api/cloud/logs/fota"],
			["GET", "/api/cloud/logs/security"],
		);
		const names = ["device_id", "type", "after", "limit", "description", "chunk_size", "device_type"];
		const fields = [
			"version",
			"size",
			"hash",
			"chunk_size",
			"firmware",
			"release",
			"device_id",
			"device_type",
			"device_key",
			"reason",
			"public_key",
		];
		const body = fc.oneof(
			fc.json(),
			fc.string(),
			fc.dictionary(fc.constantFrom(...fields), fc.jsonValue()).map((record) => JSON.stringify(record)),
		);
		const type = fc.constantFrom(
			"application/json",
			"application/octet-stream",
			"text/plain",
			"application/json; charset=latin1",
			"",
		);
		await fc.assert(
			fc.asyncProperty(
				route,
				query(names),
				body,
				type,
				async ([method, path], text, payload, contentType) => {
					const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": contentType };
					const request = { method, url: `${path}?${text}`, headers } as const;
					expectAnswered(await rig.server.inject(method === "GET" ? request : { ...request, payload }));
				},
			),
			RUNS,
		);
	});

	it("any path with any method", async () => {
		const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD");
		await fc.assert(
			fc.asyncProperty(method, fc.webPath(), fc.webQueryParameters(), async (name, path, text) => {
				const answer = await rig.server.inject({ method: name as "GET", url: `/${path}?${text}` });
				expect(answer.statusCode).toBeLessThan(500);
			}),
			RUNS,
		);
	});
});
