// `fota publish` with tokens of several roles, against a real server: what is asked before the image goes on its way.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildEspImage } from "../../cli/image/esp-image-builder.js";
import { type App, createApp } from "../../server/app.js";
import { type FotaOutcome, runFota } from "../support/run-fota.js";

const UPLOADS = /upload █/;

let folder: string;
let app: App;
let url: string;
let operatorToken: string;

async function fotaAs(token: string, ...args: readonly string[]): Promise<FotaOutcome> {
	return runFota(args, { cwd: folder, env: { FOTA_SERVER: url, FOTA_TOKEN: token } });
}

async function makeToken(role: "viewer" | "operator"): Promise<string> {
	const answer = await fetch(`${url}/api/tokens`, {
		method: "POST",
		headers: { authorization: `Bearer ${app.adminToken}`, "content-type": "application/json" },
		body: JSON.stringify({ name: role, role, expires_in_days: 1 }),
	});
	return ((await answer.json()) as { token: string }).token;
}

/** An image and its statement by the key in folder `keys`. */
async function makeRelease(version: string, keys: string): Promise<string> {
	const payload = new Uint8Array(64);
	const image = buildEspImage({ chip: "esp32", version, projectName: "test", payload, sizeBytes: 65_536 });
	const file = `${version}.bin`;
	await writeFile(join(folder, file), image);
	await fotaAs("", "sign", file, "--key", `${keys}/release.key`, "--device-type", "sensor");
	return file;
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-publish-"));
	app = await createApp({ logLevel: "silent" });
	url = await app.listen();
	operatorToken = await makeToken("operator");
});

afterAll(async () => {
	await app?.close();
	await rm(folder, { recursive: true, force: true });
});

describe("fota publish", () => {
	test("registers a missing key as an admin, and says under which id the release is", async () => {
		await fotaAs("", "keygen", "--out", "first");
		const file = await makeRelease("1.0.0", "first");
		const published = await fotaAs(app.adminToken, "publish", file, "--release-key", "first/release.pub");
		expect(published).toMatchObject({ code: 0, error: expect.stringMatching(UPLOADS) });
		expect(published.out).toMatch(/^release created\n {2}release id +1\n {2}version +1\.0\.0\n/);
	});

	test("asks no operator for more than the role may where the key is registered", async () => {
		await fotaAs("", "keygen", "--out", "second");
		const admin = ["publish", await makeRelease("2.0.0", "second"), "--release-key", "second/release.pub"];
		expect(await fotaAs(app.adminToken, ...admin)).toMatchObject({ code: 0 });
		const operator = ["publish", await makeRelease("2.1.0", "second"), "--release-key", "second/release.pub"];
		expect(await fotaAs(operatorToken, ...operator)).toMatchObject({ code: 0 });
	});

	test("says who registers a key that an operator may not, before it uploads", async () => {
		await fotaAs("", "keygen", "--out", "third");
		const publish = ["publish", await makeRelease("3.0.0", "third"), "--release-key", "third/release.pub"];
		const refused = await fotaAs(operatorToken, ...publish);
		expect(refused).toMatchObject({ code: 2, out: "" });
		expect(refused.error).toMatch(/403 forbidden.*\n +The server does not know this release key.* admin /);
		expect(refused.error).not.toMatch(UPLOADS);
	});

	test("uploads nothing that a key signed which the server does not know, and says what to do", async () => {
		await fotaAs("", "keygen", "--out", "fifth");
		const file = await makeRelease("5.0.0", "fifth");
		const refused = await fotaAs(app.adminToken, "publish", file);
		expect(refused).toMatchObject({ code: 2, out: "" });
		expect(refused.error).toMatch(/does not know the release key [0-9a-f]{16}.*\n.*--release-key/);
		expect(refused.error).not.toMatch(UPLOADS);
		const registered = await fotaAs(app.adminToken, "publish", file, "--release-key", "fifth/release.pub");
		expect(registered).toMatchObject({ code: 0 });
		await writeFile(join(folder, "no.release"), "a.b.c");
		const broken = await fotaAs(app.adminToken, "publish", file, "--release", "no.release");
		expect(broken.error).toMatch(/no\.release is not a release statement/);
		const viewer = await fotaAs(await makeToken("viewer"), "publish", file);
		expect(viewer).toMatchObject({ code: 2, out: "" });
		expect(viewer.error).toMatch(/viewer.*\n.*operator/);
		expect(viewer.error).not.toMatch(UPLOADS);
	});

	test("uploads nothing with a token that the server does not know", async () => {
		await fotaAs("", "keygen", "--out", "fourth");
		const refused = await fotaAs("wrong-wrong-wrong-wrong", "publish", await makeRelease("4.0.0", "fourth"));
		expect(refused).toMatchObject({ code: 2, out: "" });
		expect(refused.error).toContain("401 auth-failed");
		expect(refused.error).not.toMatch(UPLOADS);
	});
});
