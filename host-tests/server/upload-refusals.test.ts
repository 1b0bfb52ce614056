// Uploads that are not what they claim: refused with the reason, nothing left behind.
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { IMAGE_MAX_BYTES } from "../../src/protocol/limits.js";
import { makeImage, makeReleaseKey, sha256, signStatement, statementFor } from "./release-kit.js";
import { ADMIN_TOKEN, problemOf } from "./server-rig.js";
import { UploadRig } from "./upload-rig.js";

let rig: UploadRig;
beforeEach(async () => {
	rig = await UploadRig.open({ maxUploadBytes: 200_000 });
});
afterEach(() => rig.close());

describe("a refused upload leaves nothing behind:", () => {
	const image = makeImage();
	/** The image with one byte changed by XOR; `isRehashed`: with the appended hash made right again. */
	function flipped(at: number, mask: number, isRehashed: boolean): Uint8Array {
		const bytes = Buffer.from(image);
		const index = at < 0 ? bytes.length + at : at;
		bytes[index] = (bytes[index] ?? 0) ^ mask;
		if (isRehashed) {
			const digest = createHash("sha256").update(bytes.subarray(0, -32)).digest();
			digest.copy(bytes, bytes.length - 32);
		}
		return bytes;
	}

	interface BadImage {
		readonly name: string;
		readonly problem: string;
		readonly bytes: () => Uint8Array;
		/** Where the statement says something else than is true of these bytes. */
		readonly signed?: { readonly sizeBytes?: number; readonly hash?: string };
	}
	const { length: sizeBytes } = image;
	const hash = sha256(image);
	const badImages: readonly BadImage[] = [
		{
			name: "an empty image",
			problem: "422 manifest-mismatch",
			bytes: () => image.subarray(0, 0),
			signed: { sizeBytes, hash },
		},
		{
			name: "an image shorter than signed",
			problem: "422 manifest-mismatch",
			bytes: () => image.subarray(0, 5000),
			signed: { sizeBytes },
		},
		{
			name: "an image longer than signed",
			problem: "422 manifest-mismatch",
			bytes: () => Buffer.concat([image, image]),
			signed: { sizeBytes },
		},
		{
			name: "an image that is not the signed one",
			problem: "422 hash-mismatch",
			bytes: () => flipped(500, 1, false),
			signed: { hash },
		},
		{ name: "text", problem: "422 image-invalid", bytes: () => Buffer.alloc(10_000, "hello ") },
		{ name: "a wrong magic", problem: "422 image-invalid", bytes: () => flipped(0, 3, true) },
		{ name: "a wrong checksum", problem: "422 image-invalid", bytes: () => flipped(500, 1, true) },
		{ name: "a wrong appended hash", problem: "422 image-invalid", bytes: () => flipped(-1, 1, false) },
		{ name: "no appended hash", problem: "422 image-invalid", bytes: () => flipped(23, 1, true) },
		{ name: "too many segments", problem: "422 image-invalid", bytes: () => flipped(1, 0x80, true) },
		{
			name: "a truncated image, truly signed",
			problem: "422 image-invalid",
			bytes: () => image.subarray(0, 5008),
		},
		{
			name: "another version inside",
			problem: "422 manifest-mismatch",
			bytes: () => makeImage({ version: "1.1.1" }),
		},
		{
			name: "another chip inside",
			problem: "422 chip-mismatch",
			bytes: () => makeImage({ chip: "esp32c3" }),
		},
		{ name: "a chip nobody knows", problem: "422 chip-mismatch", bytes: () => flipped(12, 2, true) },
	];
	it.each(badImages)("$name", async ({ problem, bytes: bytesOf, signed }) => {
		const bytes = bytesOf();
		const answer = await rig.upload(bytes, signStatement(statementFor(bytes, signed), rig.releaseKey));
		expect(problemOf(answer)).toBe(problem);
		expect(answer.headers["content-type"]).toBe("application/problem+json");
		await rig.expectNothingLeft();
		expect(await rig.eventTypes("fota")).toEqual(["upload_refused"]);
	});

	const tampered: readonly (readonly [string, string, (jws: string) => string])[] = [
		["no statement at all", "400 request-malformed", () => ""],
		["a statement that is no JWS", "422 statement-malformed", () => "a.b.c"],
		["a statement of two parts", "422 statement-malformed", (jws) => jws.slice(0, jws.lastIndexOf("."))],
		["an endless statement", "400 request-malformed", (jws) => jws + "A".repeat(1100)],
		[
			"a changed signature",
			"422 signature-invalid",
			(jws) => `${jws.slice(0, -4)}${jws.endsWith("AAAA") ? "BBBA" : "AAAA"}`,
		],
		[
			"another algorithm",
			"422 statement-malformed",
			(jws) =>
				`${Buffer.from('{"alg":"none","typ":"fota-release","kid":"0000000000000000"}').toString("base64url")}${jws.slice(jws.indexOf("."))}`,
		],
		[
			"a changed payload",
			"422 signature-invalid",
			(jws) => {
				const [head, payload = "", signature] = jws.split(".");
				const text = Buffer.from(payload, "base64url")
					.toString()
					.replace('"build_number":1', '"build_number":2');
				return `${head}.${Buffer.from(text).toString("base64url")}.${signature}`;
			},
		],
	];
	it.each(tampered)("%s", async (_name, problem, tamper) => {
		const answer = await rig.upload(image, tamper(signStatement(statementFor(image), rig.releaseKey)));
		expect(problemOf(answer)).toBe(problem);
		await rig.expectNothingLeft();
	});

	it("a key that is not registered here, as a security event", async () => {
		const answer = await rig.upload(image, signStatement(statementFor(image), makeReleaseKey()));
		expect(problemOf(answer)).toBe("422 signature-invalid");
		await rig.expectNothingLeft();
		expect(await rig.eventTypes("security")).toContain("upload_refused");
	});

	const claims: readonly (readonly [string, string, object])[] = [
		["a claimed version that is not signed", "422 manifest-mismatch", { version: "1.1.1" }],
		["a claimed size that is not signed", "422 manifest-mismatch", { size: 9999 }],
		["a claimed hash that is not signed", "422 manifest-mismatch", { hash: "0".repeat(64) }],
		["a claimed build number that is not signed", "422 manifest-mismatch", { build_number: 2 }],
		["a claimed project that is not the image's", "422 manifest-mismatch", { project_name: "other" }],
		["a claimed device type that is not signed", "422 manifest-mismatch", { device_type: "pump" }],
		["a chunk size that is not of the protocol", "400 request-malformed", { chunk_size: 1000 }],
		["an image that is not base64", "400 request-malformed", { firmware: "####" }],
		["base64url in place of base64", "400 request-malformed", { firmware: "-_-_" }],
		["an image that is no text", "400 request-malformed", { firmware: 7 }],
		["a size in words", "400 request-malformed", { size: "10000" }],
		["a description with a terminal escape", "400 request-malformed", { description: "\u001b[2J" }],
		["no statement in the JSON", "400 request-malformed", { release: undefined }],
	];
	it.each(claims)("%s", async (_name, problem, changes) => {
		const answer = await rig.post("/api/cloud/fota/upload", rig.jsonBody(image, changes));
		expect(problemOf(answer)).toBe(problem);
		await rig.expectNothingLeft();
	});

	it("more bytes than are allowed, in both ways", async () => {
		const large = makeImage({ sizeBytes: 200_016 });
		const release = signStatement(statementFor(large), rig.releaseKey);
		expect(problemOf(await rig.upload(large, release))).toBe("413 upload-too-large");
		expect(problemOf(await rig.post("/api/cloud/fota/upload", rig.jsonBody(large)))).toBe(
			"413 upload-too-large",
		);
		const endless = Buffer.alloc(400_000);
		const small = signStatement(statementFor(image), rig.releaseKey);
		expect(problemOf(await rig.upload(endless, small))).toBe("413 upload-too-large");
		const json = await rig.post("/api/cloud/fota/upload", { firmware: "A".repeat(400_000) });
		expect(problemOf(json)).toBe("413 upload-too-large");
		await rig.expectNothingLeft();
	});

	it("a size beyond the protocol in the statement", async () => {
		const statement = statementFor(image, { sizeBytes: IMAGE_MAX_BYTES + 1 });
		expect(problemOf(await rig.upload(image, signStatement(statement, rig.releaseKey)))).toBe(
			"422 statement-malformed",
		);
	});

	it("an upload without the right token, before its body is looked at", async () => {
		for (const authorization of [undefined, "Bearer wrong", "Basic YTpi", `Bearer ${ADMIN_TOKEN}x`]) {
			const answer = await rig.server.inject({
				method: "POST",
				url: "/api/cloud/fota/upload",
				headers: { ...(authorization && { authorization }), "content-type": "application/json" },
				payload: "not even JSON",
			});
			expect(answer.statusCode).toBe(401);
			expect(answer.headers["www-authenticate"]).toBe("Bearer");
		}
		await rig.expectNothingLeft();
	});
});

it("an upload without a body or of another type is refused", async () => {
	const post = (headers: Record<string, string>, payload?: string) =>
		rig.server.inject({
			method: "POST",
			url: "/api/cloud/fota/upload",
			headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
			...(payload === undefined ? {} : { payload }),
		});
	expect(problemOf(await post({}))).toBe("400 request-malformed");
	expect(problemOf(await post({ "content-type": "text/plain" }, "{}"))).toBe("415 request-malformed");
	expect(problemOf(await post({ "content-type": "application/json" }, "null"))).toBe("400 request-malformed");
	await rig.expectNothingLeft();
});
