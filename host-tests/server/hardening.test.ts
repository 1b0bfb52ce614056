// What keeps strangers, browsers and mistakes out: headers, other sites, HTTPS, proxies, limits, request ids, a wrong
// master key.
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AppOptions } from "../../server/app.js";
import { type NamedOperation, operationsOf, readDocument } from "./openapi-document.js";
import { createRigApp, MASTER_KEY, problemOf, ServerRig } from "./server-rig.js";
import { writeCertificate } from "./test-certificate.js";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-hardening-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("an operator's answer", () => {
	let rig: ServerRig;
	beforeAll(async () => {
		rig = await ServerRig.create({ corsOrigins: ["https://dash.example"] });
	});
	afterAll(() => rig.close());
	const from = (origin: string, method: "GET" | "OPTIONS" = "GET") =>
		rig.server.inject({
			method,
			url: "/api/users",
			headers: { origin, "access-control-request-method": "GET", authorization: "Bearer x" },
		});

	it("tells browsers to run, frame and guess nothing of it; a device's is spared that", async () => {
		const { headers } = await rig.get("/api/users");
		expect(headers).toMatchObject({
			"content-security-policy": "default-src 'none';frame-ancestors 'none';base-uri 'none'",
			"x-content-type-options": "nosniff",
			"referrer-policy": "no-referrer",
		});
		expect(headers["strict-transport-security"]).toBeUndefined();
		const device = await rig.device();
		const answer = await device.manifest(rig.server);
		expect(Object.keys(answer.headers).length).toBeLessThan(8);
	});

	it("that refuses what no route is there for is not guessed at either", async () => {
		const { headers } = await rig.server.inject({ url: "/no/such/path" });
		expect(headers["x-content-type-options"]).toBe("nosniff");
	});

	it("is given to pages of the sites that were named, and to no others", async () => {
		expect((await from("https://dash.example")).headers["access-control-allow-origin"]).toBe(
			"https://dash.example",
		);
		const preflight = await from("https://dash.example", "OPTIONS");
		expect(preflight.statusCode).toBe(204);
		expect(preflight.headers["access-control-allow-headers"]).toContain("authorization");
		expect((await from("https://evil.example")).headers["access-control-allow-origin"]).toBeUndefined();
		const closed = await ServerRig.create();
		const answer = await closed.server.inject({
			url: "/health",
			headers: { origin: "https://dash.example" },
		});
		expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
		await closed.close();
	});

	it("may be asked for by such a page with every header that a route reads", async () => {
		const isOperators = ({ operation }: NamedOperation) => !operation.tags.includes("Device interface");
		const names = operationsOf(await readDocument(rig))
			.filter(isOperators)
			.flatMap(({ operation }) => operation.parameters ?? [])
			.filter((parameter) => parameter.in === "header")
			.map(({ name }) => name);
		expect(names).toContain("last-event-id");
		const { headers } = await from("https://dash.example", "OPTIONS");
		const allowed = String(headers["access-control-allow-headers"]).split(/, */);
		expect(allowed).toEqual(
			expect.arrayContaining([...names, "authorization", "content-type", "x-request-id"]),
		);
		const exposed = (await from("https://dash.example")).headers["access-control-expose-headers"];
		expect(String(exposed).split(/, */)).toEqual(["retry-after", "x-request-id"]);
	});

	it("carries the id that a proxy gave the request, if it is one, else an id of its own", async () => {
		const idOf = async (given: string) => {
			const answer = await rig.server.inject({ url: "/health", headers: { "x-request-id": given } });
			return answer.headers["x-request-id"];
		};
		expect(await idOf("0123456789abcdef-_XYZ")).toBe("0123456789abcdef-_XYZ");
		for (const given of ["", "short", "x".repeat(65), "has a space in it here", 'quote"quote"quote"'])
			expect(await idOf(given)).toMatch(/^[0-9a-f-]{36}$/);
	});
});

describe("the id of a request", () => {
	it("is in its log lines", async () => {
		const lines: string[] = [];
		const logStream = { write: (line: string) => void lines.push(line) };
		const rig = await ServerRig.create({ logLevel: "debug", logStream });
		const headers = { "x-request-id": "trace-0123456789abcdef" };
		await rig.server.inject({ url: "/api/users", headers });
		await rig.close();
		expect(lines.join("")).toMatch(/"reqId":"trace-0123456789abcdef".*"msg":"request"/);
	});
});

describe("requests beyond the limit", () => {
	const start = async (rateLimits: AppOptions["rateLimits"], options: AppOptions = {}) =>
		ServerRig.create({ rateLimits, ...options });
	const health = (rig: ServerRig, remoteAddress: string, forwarded?: string) =>
		rig.server.inject({
			url: "/health",
			remoteAddress,
			...(forwarded && { headers: { "x-forwarded-for": forwarded } }),
		});

	it("of one address are refused for a while, those of others are not", async () => {
		const rig = await start({ perAddress: 3, perDevice: 0 });
		for (let i = 0; i < 3; i++) expect((await health(rig, "192.0.2.1")).statusCode).toBe(200);
		const refused = await health(rig, "192.0.2.1");
		expect(problemOf(refused)).toBe("429 rate-limited");
		expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
		expect((await health(rig, "192.0.2.2")).statusCode).toBe(200);
		// A network of 64 bits is one household.
		for (let i = 1; i <= 3; i++) expect((await health(rig, `2001:db8::${i}`)).statusCode).toBe(200);
		expect(problemOf(await health(rig, "2001:db8::4"))).toBe("429 rate-limited");
		await rig.close();
	});

	it("of one device are refused with a MAC, and a stranger cannot use up its share", async () => {
		const rig = await start({ perAddress: 0, perDevice: 3 });
		const device = await rig.device();
		const other = await rig.device("dev-2");
		for (let i = 0; i < 10; i++) {
			const forged = device.authorization("/api/inverter/fota/rollback-status").replace(/mac="./, 'mac="0');
			const headers = { authorization: forged };
			await rig.server.inject({ url: "/api/inverter/fota/rollback-status", headers });
		}
		for (let i = 0; i < 3; i++) expect((await device.manifest(rig.server)).statusCode).toBe(204);
		const refused = await device.manifest(rig.server);
		expect(problemOf(refused)).toBe("429 rate-limited");
		expect(device.hasRightMac(refused)).toBe(true);
		expect((await other.manifest(rig.server)).statusCode).toBe(204);
		await rig.close();
	});

	it("are counted by the address a trusted proxy names; nobody else's word counts", async () => {
		const limits = { perAddress: 1, perDevice: 0 };
		const trusting = await start(limits, { trustedProxies: ["10.0.0.0/8"] });
		expect((await health(trusting, "10.1.1.1", "198.51.100.1")).statusCode).toBe(200);
		expect((await health(trusting, "10.1.1.1", "198.51.100.2")).statusCode).toBe(200);
		expect((await health(trusting, "10.1.1.1", "198.51.100.1")).statusCode).toBe(429);
		expect((await health(trusting, "203.0.113.1", "198.51.100.3")).statusCode).toBe(200);
		expect((await health(trusting, "203.0.113.1", "198.51.100.4")).statusCode).toBe(429);
		await trusting.close();
		// Of two names the last is the one proxy's own word.
		const hop = await start(limits, { trustedProxies: 1 });
		expect((await health(hop, "10.1.1.1", "1.1.1.1, 198.51.100.1")).statusCode).toBe(200);
		expect((await health(hop, "10.1.1.1", "2.2.2.2, 198.51.100.1")).statusCode).toBe(429);
		await hop.close();
		const nobody = await start(limits);
		expect((await health(nobody, "10.1.1.1", "198.51.100.1")).statusCode).toBe(200);
		expect((await health(nobody, "10.1.1.1", "198.51.100.2")).statusCode).toBe(429);
		await nobody.close();
	});
});

describe("HTTPS by the server itself", () => {
	/** Status, headers and the certificate that was shown. */
	async function fetchWith(url: string, ca: string) {
		const request = get(`${url}/health`, { ca, agent: false });
		const [response] = await once(request, "response");
		const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
		response.resume();
		await once(response, "end");
		return { status: response.statusCode, headers: response.headers, fingerprint256 };
	}

	it("serves, and takes a renewed certificate without a restart; a broken one changes nothing", async () => {
		const first = await writeCertificate(folder, "first");
		const second = await writeCertificate(folder, "second");
		const tls = { certPath: join(folder, "server.crt"), keyPath: join(folder, "server.key") };
		const install = async (files: typeof first) => {
			await copyFile(files.certPath, tls.certPath);
			await copyFile(files.keyPath, tls.keyPath);
		};
		await install(first);
		const rig = await ServerRig.create({ tls });
		const url = await rig.app.listen();
		expect(url).toMatch(/^https:/);
		const before = await fetchWith(url, first.certificate);
		expect(before.status).toBe(200);
		expect(before.headers["strict-transport-security"]).toMatch(/^max-age=15552000/);
		await expect(fetchWith(url, second.certificate)).rejects.toThrow(/self-signed|unable to verify/);

		await writeFile(tls.keyPath, "no key");
		await expect(rig.app.reloadTls()).rejects.toMatchObject({ code: "server-failed" });
		expect((await fetchWith(url, first.certificate)).fingerprint256).toBe(before.fingerprint256);
		await install(second);
		await rig.app.reloadTls();
		const after = await fetchWith(url, second.certificate);
		expect(after.status).toBe(200);
		expect(after.fingerprint256).not.toBe(before.fingerprint256);
		await rig.close();
	});

	it("does not start with a certificate and a key that do not belong together", async () => {
		const { certPath } = await writeCertificate(folder, "one");
		const { keyPath } = await writeCertificate(folder, "other");
		await expect(createRigApp({ tls: { certPath, keyPath } })).rejects.toMatchObject({
			code: "server-failed",
		});
		const missing = join(folder, "none");
		await expect(createRigApp({ tls: { certPath: missing, keyPath } })).rejects.toThrow(/ENOENT/);
	});
});

describe("another master key than before", () => {
	const OTHER_KEY = Buffer.alloc(32, 8);
	const start = async (masterKey: Uint8Array, options: AppOptions = {}) =>
		new ServerRig(await createRigApp({ dataDirectory: folder, masterKey, ...options }));

	it("stops the start where devices depend on the right one, unless it is meant", async () => {
		const before = await start(MASTER_KEY);
		await before.device();
		await before.close();
		const message = expect.stringMatching(/not the one.*1 registered.*FOTA_MASTER_KEY_REPLACED=yes/);
		await expect(start(OTHER_KEY)).rejects.toMatchObject({ code: "server-failed", message });
		await (await start(MASTER_KEY)).close();
		await (await start(OTHER_KEY, { isMasterKeyReplaced: true })).close();
		await (await start(OTHER_KEY)).close();
		await expect(start(MASTER_KEY)).rejects.toMatchObject({ code: "server-failed" });
	});

	it("is taken where no device's key comes from it", async () => {
		const before = await start(MASTER_KEY);
		await before.device("imported", { device_key: "5e".repeat(32) });
		await before.close();
		await (await start(OTHER_KEY)).close();
	});
});
