// The command line and servers that speak https, or do not: what it says of a certificate, and what then helps.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noAnswer } from "../../cli/server/no-answer.js";
import { writeCertificate } from "../server/test-certificate.js";
import { runFota } from "../support/run-fota.js";
import { typescriptCommand } from "../support/typescript-process.js";

const NO_DEVICES = JSON.stringify({ devices: [], next_after: null });

let folder: string;
let certPath: string;
let plain: Server;
let secure: Server;

async function listen(server: Server): Promise<Server> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return server;
}

const addressOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;
const statusOf = (url: string) => runFota(["status", "--server", url, "--token", "x"]);

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-https-"));
	const files = await writeCertificate(folder, "server");
	certPath = files.certPath;
	plain = await listen(createServer((_request, response) => response.end(NO_DEVICES)));
	const secrets = { cert: await readFile(files.certPath), key: await readFile(files.keyPath) };
	secure = await listen(createTlsServer(secrets, (_request, response) => response.end(NO_DEVICES)));
});

afterAll(async () => {
	plain?.close();
	secure?.close();
	await rm(folder, { recursive: true, force: true });
});

describe("fota", () => {
	test("says of a certificate that nobody vouches for how it comes to be trusted", async () => {
		const refused = await statusOf(`https://${addressOf(secure)}`);
		expect(refused).toMatchObject({ code: 3, out: "" });
		expect(refused.error).toMatch(
			/^fota: no trust in the certificate of https:.*: DEPTH_ZERO_SELF_SIGNED_CERT\n.* NODE_EXTRA_CA_CERTS=FILE /,
		);
	});

	test("trusts it when told so in that way", async () => {
		const [node, ...args] = typescriptCommand("cli/main.ts");
		const env = { ...process.env, NODE_EXTRA_CA_CERTS: certPath };
		const options = ["status", "--server", `https://${addressOf(secure)}`, "--token", "x"];
		const child = spawn(node, [...args, ...options], { env, stdio: ["ignore", "pipe", "inherit"] });
		let out = "";
		child.stdout.on("data", (text: Buffer) => (out += text.toString()));
		await once(child, "close");
		expect(out).toBe("no device is registered\n");
	});

	test("asks for http where nobody speaks TLS, and for https where somebody does", async () => {
		const [http, https] = [`http://${addressOf(secure)}`, `https://${addressOf(plain)}`];
		expect(await statusOf(https)).toMatchObject({ code: 3, error: expect.stringMatching(/http, not https/) });
		expect(await statusOf(http)).toMatchObject({ code: 3, error: expect.stringMatching(/https, not http/) });
	});

	test.each([
		["CERT_HAS_EXPIRED", /needs a new one/],
		["ERR_TLS_CERT_ALTNAME_INVALID", /It is not for fota\.example\. Give --server/],
		["ERR_SSL_WRONG_VERSION_NUMBER", /http, not https/],
		["ECONNREFUSED", /Is the server running/],
	])("has a hint for %s", (code, hint) => {
		const error = noAnswer(new URL("https://fota.example/x"), Object.assign(new Error("no"), { code }));
		expect(error.message).toContain(`https://fota.example: ${code}`);
		expect(error.hint).toMatch(hint);
	});
});
