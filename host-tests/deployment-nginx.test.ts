// deploy/nginx.conf on the real nginx, with two real servers behind it. Rewritten is what must differ here: ports, the servers'
// addresses, the certificate, and, since Debian's nginx 1.22 lacks it, the asking for names anew (`resolver`, `resolve`), which
// the containers' newer one does. The servers have one master key and a database each, and are told everything both: what
// servers share is in server/two-servers.test.ts.
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rewrite, startNginx } from "../scripts/system-programs/nginx.js";
import { freePorts, type Program } from "../scripts/system-programs/program.js";
import { encodeStatusReport } from "../src/protocol/status-report.js";
import { makeImage, makeReleaseKey, sha256, signStatement, statementFor } from "./server/release-kit.js";
import { ADMIN_TOKEN, ServerRig } from "./server/server-rig.js";
import { writeCertificate } from "./server/test-certificate.js";
import type { TestDevice } from "./server/test-device.js";

const SETTINGS = readFileSync(join(import.meta.dirname, "..", "deploy", "nginx.conf"), "utf8");
const MANIFEST = "/api/inverter/fota/manifest";
const STATUS = "/api/inverter/fota/status";

interface Answer {
	readonly status: number;
	readonly headers: IncomingMessage["headers"];
	readonly body: Buffer;
}

interface Call {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	/** The head alone is sent where it is "never": an answer must come all the same. */
	readonly body?: string | Uint8Array | "never";
}

let folder: string;
let left: ServerRig;
let right: ServerRig;
let nginx: Program;
let devicePort: number;
let operatorPort: number;
/** Request targets as they came to either server. */
const seen: { readonly by: "left" | "right"; readonly target: string }[] = [];

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-nginx-test-"));
	// nginx's workers, where it is started as root, are another user.
	await chmod(folder, 0o711);
	const releaseKey = makeReleaseKey();
	// As compose.yaml: one proxy in front.
	const options = { trustedProxies: 1, stopTimeoutMs: 500, eventPollMs: 20 };
	left = await ServerRig.create(options, releaseKey);
	right = await ServerRig.create(options, releaseKey);
	[devicePort = 0, operatorPort = 0] = await freePorts(2);
	const settings = await settingsFor(await listenAs("left", left), await listenAs("right", right));
	nginx = await startNginx(folder, settings, `http://127.0.0.1:${devicePort}`);
});
afterAll(async () => {
	await nginx?.stop();
	await Promise.all([left?.close(), right?.close()]);
	await rm(folder, { recursive: true });
});

/** Known to both, with the same key. */
async function makeDevice(deviceId: string, deviceType?: string): Promise<TestDevice> {
	const more = deviceType === undefined ? {} : { deviceType };
	await left.device(deviceId, more);
	return right.device(deviceId, more);
}

/** Returns host and port. */
async function listenAs(by: "left" | "right", rig: ServerRig): Promise<string> {
	rig.server.server.on("request", ({ url = "" }: IncomingMessage) => seen.push({ by, target: url }));
	return new URL(await rig.app.listen()).host;
}

async function settingsFor(one: string, other: string): Promise<string> {
	const { certPath, keyPath } = await writeCertificate(folder, "server");
	return rewrite(SETTINGS, {
		"listen 80;": `listen 127.0.0.1:${devicePort};`,
		"listen 443 ssl;": `listen 127.0.0.1:${operatorPort} ssl;`,
		"resolver 127.0.0.11 valid=5s ipv6=off;": "",
		"server server-1:8080 resolve ": `server ${one} `,
		"server server-2:8080 resolve ": `server ${other} `,
		"/etc/nginx/tls/server.crt": certPath,
		"/etc/nginx/tls/server.key": keyPath,
	});
}

/** Over the devices' port; the target goes out as it is. */
const overHttp = (target: string, call: Call = {}) => exchange("http", target, call);
/** Over the operators' port, as admin. */
const overHttps = (target: string, { headers, ...call }: Call = {}) =>
	exchange("https", target, { ...call, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers } });

async function exchange(scheme: "http" | "https", path: string, { method = "GET", headers, body }: Call) {
	const port = scheme === "http" ? devicePort : operatorPort;
	const options = { host: "127.0.0.1", port, path, method, headers, agent: false, rejectUnauthorized: false };
	return new Promise<Answer>((resolve, reject) => {
		const send = scheme === "http" ? httpRequest : httpsRequest;
		const request = send(options, (response) => {
			const pieces: Buffer[] = [];
			response.on("data", (piece: Buffer) => pieces.push(piece));
			response.on("error", reject);
			response.on("end", () => {
				resolve({
					status: response.statusCode ?? 0,
					headers: response.headers,
					body: Buffer.concat(pieces),
				});
				request.destroy();
			});
		});
		request.on("error", reject);
		if (body === "never") request.flushHeaders();
		else request.end(body);
	});
}

const ask = (device: TestDevice, target: string) =>
	overHttp(target, { headers: { authorization: device.authorization(target) } });
const targetsOf = () => seen.splice(0).map(({ target }) => target);

describe("a device behind nginx", () => {
	it("is known by its MAC whatever its path and query look like, which the server gets as they were sent", async () => {
		const device = await makeDevice("odd");
		const query = "device_type=thermostat&chip=esp32&version=1.0.0&chunk_size=4096";
		const targets = [
			`${MANIFEST}?${query}`,
			`${MANIFEST}?${query}&a=%2F..%2F%2e+b%20c&&d=&e`,
			`${MANIFEST}?x=//y/../z&${query}&q=?`,
			`/api/inverter/fota/%6danifest?${query}`,
		];
		seen.length = 0;
		// Nothing is published for it, and 204 says so to nobody else.
		for (const target of targets) expect((await ask(device, target)).status, target).toBe(204);
		expect(targetsOf()).toEqual(targets);
		// No route of the server, but in the devices' part of it.
		const strange = [
			"/api/inverter/fota//manifest",
			"/api/inverter/fota/./manifest",
			"/api/inverter/fota/a%2Fb",
		];
		for (const target of strange) expect((await ask(device, target)).status, target).toBe(404);
		expect(targetsOf()).toEqual(strange);
	});

	it("reports with a body that is MACed", async () => {
		const device = await makeDevice("reporter");
		const body = encodeStatusReport(device.idleReport());
		const headers = { authorization: device.authorization(STATUS, { method: "POST", body }) };
		const answer = await overHttp(STATUS, { method: "POST", headers, body });
		expect([answer.status, JSON.parse(answer.body.toString()).accepted]).toEqual([200, true]);
		expect(answer.headers["fota-mac"]).toMatch(/^[0-9a-f]{64}$/);
	});

	it("gets the part of an image that it asks for", async () => {
		const device = await makeDevice("downloader", "pump");
		const image = makeImage({ sizeBytes: 50_000 });
		const statement = signStatement(statementFor(image, { deviceType: "pump" }), left.releaseKey);
		const headersOfUpload = { "content-type": "application/octet-stream", "fota-release": statement };
		const upload = { method: "POST", headers: headersOfUpload, body: image };
		// One takes it through nginx, the other has it already or gets it now.
		expect((await overHttps("/api/cloud/fota/upload", upload)).status).toBe(201);
		for (const rig of [left, right]) await rig.upload(image, statement);
		const target = "/api/ota/download/1";
		const headers = { authorization: device.authorization(target), range: "bytes=10000-29999" };
		const answer = await overHttp(target, { headers });
		expect(answer.status).toBe(206);
		expect(answer.headers["content-range"]).toBe("bytes 10000-29999/50000");
		expect(answer.headers.etag).toBe(`"${sha256(image)}"`);
		expect(answer.body.equals(image.subarray(10_000, 30_000))).toBe(true);
	});

	it("cannot choose the address that it is known by", async () => {
		const target = `${MANIFEST}?chip=esp32`;
		const device = await makeDevice("liar");
		device.key.fill(0);
		const headers = {
			authorization: device.authorization(target),
			"x-forwarded-for": "203.0.113.9, 198.51.100.1",
		};
		expect((await overHttp(target, { headers })).status).toBe(401);
		const found = await Promise.all(
			[left, right].map((rig) => rig.get("/api/cloud/logs/security?device_id=liar")),
		);
		const noted = found.flatMap((answer) => answer.json().events as { readonly details: object }[]);
		expect(noted.map(({ details }) => details)).toEqual([expect.objectContaining({ address: "127.0.0.1" })]);
	});
});

describe("an operator behind nginx", () => {
	it("is sent from plain HTTP to HTTPS before any server hears of it", async () => {
		seen.length = 0;
		const paths = [
			"/fota",
			"/api/cloud/fota/status?device_id=a",
			"/api/auth/login",
			"/api/ota/admin/firmware",
			"/metrics",
		];
		for (const path of paths) {
			const answer = await overHttp(path, { headers: { host: "fota.example" } });
			expect([answer.status, answer.headers.location]).toEqual([301, `https://fota.example${path}`]);
		}
		expect(seen).toEqual([]);
	});

	it("finds no metrics", async () => {
		seen.length = 0;
		expect((await overHttps("/metrics")).status).toBe(404);
		expect(seen).toEqual([]);
		// They are there, for whoever asks a server itself.
		expect((await left.get("/metrics")).statusCode).toBe(200);
	});

	it("is refused an upload beyond the limit by its head, before any server hears of it", async () => {
		seen.length = 0;
		const headers = {
			"content-type": "application/octet-stream",
			"content-length": String(12 * 1024 * 1024 + 1),
		};
		const answer = await overHttps("/api/cloud/fota/upload", { method: "POST", headers, body: "never" });
		expect([answer.status, answer.headers.server]).toEqual([413, "nginx"]);
		expect(seen).toEqual([]);
	});

	it("hears of an event while the stream of events is open", async () => {
		const stream = await openStream("/api/events?type=device_registered");
		await makeDevice("told-of");
		// Returns as soon as it is there: the stream has no end.
		await expect.poll(() => stream.text()).toContain('"device_id":"told-of"');
		expect(stream.isOver()).toBe(false);
		stream.close();
	});
});

function openStream(path: string) {
	const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
	const options = {
		host: "127.0.0.1",
		port: operatorPort,
		path,
		headers,
		agent: false,
		rejectUnauthorized: false,
	};
	return new Promise<{ text(): string; isOver(): boolean; close(): void }>((resolve, reject) => {
		const request = httpsRequest(options, (response) => {
			let text = "";
			let isOver = false;
			response.on("data", (piece: Buffer) => {
				text += piece.toString();
			});
			// Cut by the test.
			response.on("error", () => undefined);
			response.on("close", () => {
				isOver = true;
			});
			resolve({ text: () => text, isOver: () => isOver, close: () => request.destroy() });
		});
		request.on("error", reject);
		request.end();
	});
}

// The last one: a server less from here on.
describe("a server that stopped", () => {
	it("is not seen by devices, whose polls the other one answers", async () => {
		const device = await makeDevice("steady");
		const target = device.manifestTarget();
		const polls = async (count: number) => {
			seen.length = 0;
			for (let i = 0; i < count; i++) expect((await ask(device, target)).status).toBe(204);
			return new Set(seen.map(({ by }) => by));
		};
		expect(await polls(20)).toEqual(new Set(["left", "right"]));
		await left.close();
		expect(await polls(20)).toEqual(new Set(["right"]));
	});
});
