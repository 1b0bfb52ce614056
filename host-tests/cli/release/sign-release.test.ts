// Keys and signatures of the operator's side, held against node:crypto and jose.
import { createPublicKey } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compactVerify, importJWK } from "jose";
import { expect, onTestFinished, test } from "vitest";
import { buildEspImage } from "../../../cli/image/esp-image-builder.js";
import {
	createReleaseKey,
	loadPublicKey,
	loadReleaseKey,
	type ReleaseKey,
	saveReleaseKey,
} from "../../../cli/release/release-key.js";
import { inspectImage, signRelease } from "../../../cli/release/sign-release.js";
import { parseSignedStatement } from "../../../src/protocol/release-statement.js";

const image = buildEspImage({
	chip: "esp32c3",
	version: "2.0.0",
	projectName: "xs-fota",
	payload: new Uint8Array(200).fill(1),
	securityVersion: 5,
});

test("a statement says what the image says, and other JWS libraries verify it", async () => {
	const key = createReleaseKey();
	const jws = signRelease(image, { deviceType: "sensor", releasedAt: 1000 }, key);
	const { statement, keyId } = parseSignedStatement(jws);
	expect(statement).toEqual({
		deviceType: "sensor",
		chip: "esp32c3",
		version: "2.0.0",
		buildNumber: 0,
		securityVersion: 5,
		sizeBytes: image.length,
		hash: inspectImage(image).hash,
		minCurrentVersion: undefined,
		releasedAt: 1000,
	});
	expect(keyId).toBe(key.keyId);
	const publicJwk = ({ privateKey }: ReleaseKey) => createPublicKey(privateKey).export({ format: "jwk" });
	const publicKey = await importJWK(publicJwk(key), "ES256");
	await expect(compactVerify(jws, publicKey)).resolves.toMatchObject({
		protectedHeader: { typ: "fota-release" },
	});
	const other = await importJWK(publicJwk(createReleaseKey()), "ES256");
	await expect(compactVerify(jws, other)).rejects.toThrow("signature");
});

test("a key is the same after it was kept in files", async () => {
	const folder = await mkdtemp(join(tmpdir(), "xs-fota-key-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const key = createReleaseKey();
	const { privatePath, publicPath } = await saveReleaseKey(key, folder);
	expect((await loadReleaseKey(privatePath)).publicKey).toEqual(key.publicKey);
	expect(await loadPublicKey(publicPath)).toEqual(key.publicKey);
	await expect(saveReleaseKey(key, folder)).rejects.toThrow("exists already");
	await expect(loadReleaseKey(publicPath)).rejects.toThrow("not a private key");
	await expect(loadPublicKey(privatePath)).rejects.toThrow("not a public release key");
});

test("an image with a damaged byte is not signed", () => {
	const damaged = image.slice();
	damaged[40] = (damaged[40] ?? 0) ^ 1;
	expect(() => signRelease(damaged, { deviceType: "sensor" }, createReleaseKey())).toThrow(
		"not a valid ESP32",
	);
});

test("a device type that no device can have is refused", () => {
	expect(() => signRelease(image, { deviceType: "a b" }, createReleaseKey())).toThrow("device type");
});
