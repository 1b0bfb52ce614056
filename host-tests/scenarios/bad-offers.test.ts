// Scenario 3 and "Bad input", the offer: manifests that lie, are forged, replayed or malformed. Nothing is erased, the
// code is in the log and at the server, the old firmware runs on. The attacker holds everything but the release key.
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { partitionBytes } from "../../cli/image/flash-image.js";
import { createReleaseKey } from "../../cli/release/release-key.js";
import { parseAuthorization, RESPONSE_MAC_HEADER } from "../../src/protocol/device-auth.js";
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import { SECURITY_CODES } from "../../src/protocol/error-codes.js";
import { MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { ROLLBACK_STATUS_PATH } from "../../src/protocol/rollback-order.js";
import { forgeBody, forgeJson, manifestJson, signAnswer } from "../support/forged-answer.js";
import type { Exchange, MeddlingProxy } from "../support/meddling-proxy.js";
import {
	type DeviceOptions,
	type Release,
	type ReleaseOptions,
	Rig,
	type TestDevice,
} from "../support/rig.js";

const CHUNK_BYTES = 16_384;
const UNTOUCHED = { slot: "ota_0", version: "1.0.0" };

interface Stage {
	readonly rig: Rig;
	readonly device: TestDevice;
	readonly proxy: MeddlingProxy;
}

async function setStage(options: DeviceOptions = {}): Promise<Stage> {
	const rig = await Rig.open();
	const proxy = await rig.proxy();
	const settings = { chunkBytes: CHUNK_BYTES, ...options.settings };
	return { rig, proxy, device: await rig.device({ ...options, settings, port: proxy.port }) };
}

/** Logged, reported, a security event where it is one; nothing erased, no restart, and asked again later. */
async function expectRefusal({ rig, device, proxy }: Stage, code: ErrorCode): Promise<void> {
	const isSecurity = SECURITY_CODES.includes(code);
	const running = await device.start();
	const line = await running.waitForLine(`${code}: `);
	expect(line.includes("SECURITY")).toBe(isSecurity);
	await rig.waitForEvent(device, { code });
	if (isSecurity) await rig.waitForEvent(device, { log: "security", type: "device_security_event", code });
	const askedCount = () => proxy.targets.filter((target) => target.startsWith(MANIFEST_PATH)).length;
	const asked = askedCount();
	for (let poll = 0, from = running.lineCount; poll < 2; poll++, from = running.lineCount)
		await running.waitForLine("state CHECKING_MANIFEST", { from });
	expect(askedCount()).toBeGreaterThan(asked);
	const { log, stats } = await running.stop();
	expect(stats?.boots).toBe(1);
	expect(stats?.flash.blockErases).toBe(0);
	expect(log).not.toContain("DOWNLOADING");
	expect(await device.boots()).toMatchObject(UNTOUCHED);
}

/** Answers every manifest poll with `forge`, signed with the device's key. */
function answerManifest({ proxy }: Stage, forge: (exchange: Exchange) => void): void {
	proxy.meddle = (exchange) => {
		if (exchange.target.startsWith(MANIFEST_PATH)) forge(exchange);
		return undefined;
	};
}

type Recorded = Pick<Exchange, "status" | "headers" | "body">;

/** Answers that the server gave and the device never saw, by nonce: authentic, and good for their own requests alone. */
async function recordManifests({ proxy, device }: Stage, pollCount: number): Promise<Map<number, Recorded>> {
	const recorded = new Map<number, Recorded>();
	proxy.meddle = (exchange) => {
		if (!exchange.target.startsWith(MANIFEST_PATH)) return undefined;
		const { status, headers, body } = exchange;
		const signed = { ...exchange, headers: {} as Exchange["headers"] };
		signAnswer(signed, device.identity.deviceKey);
		expect(headers[RESPONSE_MAC_HEADER]).toBe(signed.headers[RESPONSE_MAC_HEADER]);
		recorded.set(parseAuthorization(exchange.authorization)?.nonce ?? 0, { status, headers, body });
		return "close";
	};
	const running = await device.start();
	for (let poll = 0, from = 0; poll < pollCount; poll++, from = running.lineCount)
		await running.waitForLine("network-unavailable", { from });
	await running.stop();
	expect(recorded.size).toBeGreaterThanOrEqual(pollCount);
	for (const { status, body } of recorded.values())
		expect([status, JSON.parse(body.toString()).version]).toEqual([200, "1.1.0"]);
	return recorded;
}

interface OfferRow {
	readonly title: string;
	readonly code: ErrorCode;
	readonly version?: string;
	readonly release?: ReleaseOptions;
	/** Fields of the manifest that differ from what was signed. */
	readonly changes?: (release: Release) => object;
}

const OFFERS: readonly OfferRow[] = [
	{ title: "signed by a strange key", code: "signature-invalid", release: { key: createReleaseKey() } },
	{
		title: "whose signature belongs to another statement",
		code: "signature-invalid",
		changes: ({ jws }) => ({ release: jws.slice(0, -6) + (jws.endsWith("AAAAAA") ? "BBBBBA" : "AAAAAA") }),
	},
	{
		title: "without a signature",
		code: "statement-malformed",
		changes: ({ jws }) => ({ release: jws.split(".")[0] }),
	},
	{
		title: "whose hash is not the signed one",
		code: "manifest-mismatch",
		changes: () => ({ hash: "0".repeat(64) }),
	},
	{
		title: "whose version is not the signed one",
		code: "manifest-mismatch",
		changes: () => ({ version: "9.9.9" }),
	},
	{ title: "for another device type", code: "device-type-mismatch", release: { deviceType: "pump" } },
	{ title: "for another chip", code: "chip-mismatch", release: { claims: { chip: "esp32s3" } } },
	{ title: "for devices above 1.0.5", code: "version-too-old", release: { minCurrentVersion: "1.0.5" } },
	{ title: "larger than the slot", code: "image-too-large", release: { sizeBytes: 8 * 65_536 } },
	{ title: "with a huge size", code: "answer-malformed", changes: () => ({ size: 2 ** 40 }) },
	{ title: "with a size that is no number", code: "answer-malformed", changes: () => ({ size: "1e3" }) },
	{ title: "with too many chunks", code: "answer-malformed", changes: () => ({ total_chunks: 1 }) },
	{
		title: "with chunks of a strange size",
		code: "answer-malformed",
		changes: () => ({ chunk_size: 12_345 }),
	},
];

describe("a release", { timeout: 240_000 }, () => {
	test.each(OFFERS)("$title is refused with $code", async ({ code, version, release: options, changes }) => {
		const stage = await setStage();
		const release = await stage.rig.makeRelease(version ?? "1.1.0", options);
		const json = manifestJson(release, CHUNK_BYTES, changes?.(release));
		answerManifest(stage, (exchange) => forgeJson(exchange, stage.device.identity.deviceKey, json));
		await expectRefusal(stage, code);
	});

	test("that is not newer is passed over without an alarm", async () => {
		const stage = await setStage({ version: "1.1.0" });
		const json = manifestJson(await stage.rig.makeRelease("1.1.0"), CHUNK_BYTES);
		answerManifest(stage, (exchange) => forgeJson(exchange, stage.device.identity.deviceKey, json));
		const running = await stage.device.start();
		for (let poll = 0, from = 0; poll < 3; poll++, from = running.lineCount)
			await running.waitForLine("state IDLE", { from });
		const { log, stats } = await running.stop();
		expect(log).not.toContain("DOWNLOADING");
		expect(stats?.flash.blockErases).toBe(0);
		expect(await stage.rig.events(stage.device, "security")).toEqual([]);
	});

	test.each([
		{ storage: "kept", keepsStorage: true },
		{ storage: "lost since", keepsStorage: false },
	])(
		"below a security version that was confirmed here is a security event, storage $storage",
		async (row) => {
			const stage = await setStage();
			await stage.rig.publish("1.1.0", { securityVersion: 3 });
			const result = await stage.device.run({ until: ["update 1.1.0 confirmed"] });
			expect(result.stats?.end).toBe("until");
			if (!row.keepsStorage) await stage.device.loseStorage();
			const json = manifestJson(await stage.rig.makeRelease("1.2.0", { securityVersion: 2 }), CHUNK_BYTES);
			answerManifest(stage, (exchange) => forgeJson(exchange, stage.device.identity.deviceKey, json));
			const running = await stage.device.start();
			await running.waitForLine("SECURITY security-downgrade");
			await stage.rig.waitForEvent(stage.device, { log: "security", code: "security-downgrade" });
			await running.stop();
			expect(await stage.device.boots()).toMatchObject({ slot: "ota_1", version: "1.1.0" });
		},
	);
});

describe("a manifest", { timeout: 240_000 }, () => {
	test("that was changed on the way is a security event", async () => {
		const stage = await setStage();
		await stage.rig.publish("1.1.0");
		answerManifest(stage, (exchange) => {
			exchange.body = Buffer.from(exchange.body.toString().replace("1.1.0", "1.1.1"));
		});
		await expectRefusal(stage, "answer-unauthenticated");
	});

	test("that was recorded and is replayed is a security event", async () => {
		const stage = await setStage();
		await stage.rig.publish("1.1.0");
		const [recorded] = (await recordManifests(stage, 1)).values();
		answerManifest(stage, (exchange) => Object.assign(exchange, recorded));
		await expectRefusal(stage, "answer-unauthenticated");
	});

	test("that was recorded in a life that the device has forgotten fits none of its requests", async () => {
		const stage = await setStage();
		await stage.rig.publish("1.1.0");
		const recorded = await recordManifests(stage, 6);
		const flash = Uint8Array.from(await stage.device.readFlash());
		partitionBytes(flash, "nvs").fill(0xff);
		await writeFile(stage.device.flash, flash);
		// Nothing of the real server comes through, which would set the nonce anew.
		stage.proxy.meddle = (exchange) => {
			if (!exchange.target.startsWith(MANIFEST_PATH)) return "close";
			const nonce = parseAuthorization(exchange.authorization)?.nonce ?? 0;
			Object.assign(exchange, recorded.get(nonce) ?? [...recorded.values()][0]);
			return undefined;
		};
		const running = await stage.device.start();
		for (let poll = 0, from = 0; poll < 6; poll++, from = running.lineCount)
			await running.waitForLine("SECURITY answer-unauthenticated", { from });
		const { log, stats } = await running.stop();
		expect(log).not.toContain("DOWNLOADING");
		expect(stats?.boots).toBe(1);
		expect(await stage.device.boots()).toMatchObject(UNTOUCHED);
	});

	test.each<{ title: string; body: Buffer; code: ErrorCode }>([
		{ title: "no JSON", body: Buffer.from("<html>"), code: "answer-malformed" },
		{ title: "JSON too deep", body: Buffer.from("[".repeat(1500)), code: "answer-malformed" },
		{ title: "too long", body: Buffer.from(`{"x":"${"y".repeat(5000)}"}`), code: "answer-malformed" },
	])("that is $title is refused, and asked for again", async ({ body, code }) => {
		const stage = await setStage();
		answerManifest(stage, (exchange) => forgeBody(exchange, stage.device.identity.deviceKey, body));
		const running = await stage.device.start();
		for (let poll = 0, from = 0; poll < 3; poll++, from = running.lineCount)
			await running.waitForLine(`${code}: `, { from });
		expect((await running.stop()).stats?.boots).toBe(1);
	});
});

describe("a rollback order", { timeout: 240_000 }, () => {
	test("that nobody signed is a security event and is not carried out", async () => {
		const stage = await setStage();
		await stage.rig.publish("1.1.0");
		await stage.device.run({ until: ["update 1.1.0 confirmed"] });
		stage.proxy.meddle = (exchange) => {
			if (exchange.target === ROLLBACK_STATUS_PATH)
				exchange.body = Buffer.from('{"rollback":true,"order_id":7,"reason":"forged"}');
			return undefined;
		};
		const running = await stage.device.start();
		await running.waitForLine("SECURITY answer-unauthenticated");
		await stage.rig.waitForEvent(stage.device, { log: "security", code: "answer-unauthenticated" });
		expect((await running.stop()).stats?.boots).toBe(1);
		expect(await stage.device.boots()).toMatchObject({ slot: "ota_1", version: "1.1.0" });
	});
});
