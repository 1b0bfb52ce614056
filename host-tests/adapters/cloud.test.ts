// The cloud asks for the manifest as the protocol says, signed, and uses nothing of an answer that is not authentic.

import { describe, expect, it } from "vitest";
import { HTTP_CLIENT_ERRORS } from "../../src/adapters/http-client.js";
import type { Manifest } from "../../src/protocol/manifest.js";
import { altered, askManifest, good, MANIFEST, MANIFEST_JSON, QUERY } from "./cloud-questions.js";
import { CloudRig, Outcomes } from "./cloud-rig.js";
import type { Reply } from "./scripted-http-client.js";

describe("asking for the manifest", () => {
	it("sends a signed query and takes an authentic answer", () => {
		const { rig, outcomes } = askManifest(good);
		expect(outcomes.only).toEqual(MANIFEST);
		const [request] = rig.requests;
		expect(request?.method).toBe("GET");
		expect(request?.path).toBe(
			"/api/inverter/fota/manifest?device_type=inverter&chip=esp32c3&version=1.0.0%2Bx.1&chunk_size=4096",
		);
		expect(request).toMatchObject({
			connectTimeoutMs: 10_000,
			idleTimeoutMs: 15_000,
			totalTimeoutMs: 60_000,
		});
		expect(request?.maxBodyBytes).toBe(2048);
	});

	it("takes a body in single bytes, and a content type with parameters", () => {
		const { outcomes } = askManifest(
			altered((reply) => ({
				...reply,
				pieceBytes: 1,
				headers: { ...reply.headers, "content-type": "Application/JSON; charset=utf-8" },
			})),
		);
		expect(outcomes.only).toEqual(MANIFEST);
	});

	it("finds no release in an authentic 204", () => {
		const { outcomes } = askManifest((rig) => (nonce) => rig.server.answer({ nonce, status: 204 }));
		expect(outcomes.all).toEqual([{ value: undefined }]);
	});

	it.each([
		["without MAC", (reply: Reply) => ({ ...reply, headers: { "content-type": "application/json" } })],
		[
			"with a wrong MAC",
			(reply: Reply) => ({ ...reply, headers: { ...reply.headers, "fota-mac": "0".repeat(64) } }),
		],
		["with half a MAC", (reply: Reply) => ({ ...reply, headers: { ...reply.headers, "fota-mac": "00ff" } })],
		[
			"with another body",
			(reply: Reply) => ({
				...reply,
				body: new TextEncoder().encode(MANIFEST_JSON.replace("1.1.0", "1.1.1")),
			}),
		],
		["with the status changed to 204", (reply: Reply) => ({ ...reply, status: 204, body: new Uint8Array() })],
	])("refuses an answer %s", (_, change) => {
		expect(askManifest(altered(change)).outcomes.only).toBe("answer-unauthenticated");
	});

	it("refuses an authentic answer to an earlier question", () => {
		const rig: CloudRig = new CloudRig(() =>
			rig.server.answer({ nonce: 1, status: 200, body: MANIFEST_JSON }),
		);
		const [first, second] = [new Outcomes<Manifest | undefined>(), new Outcomes<Manifest | undefined>()];
		rig.cloud.manifest(QUERY, first.done);
		rig.run();
		rig.cloud.manifest(QUERY, second.done);
		rig.run();
		expect(first.only).toEqual(MANIFEST);
		expect(second.only).toBe("answer-unauthenticated");
	});

	it.each(["text/html", "application/problem+json", undefined])("refuses content type %s", (type) => {
		const change = altered(({ headers, ...reply }) => {
			const { "content-type": _, ...others } = headers ?? {};
			return { ...reply, headers: type === undefined ? others : { ...others, "content-type": type } };
		});
		expect(askManifest(change).outcomes.only).toBe("answer-malformed");
	});

	it.each(["{", "[]", '{"version":"1.1.0"}', MANIFEST_JSON.replace("40000", "4e300"), "\u0000"])(
		"refuses authentic nonsense: %s",
		(body) => {
			const { outcomes } = askManifest((rig) => (nonce) => rig.server.answer({ nonce, status: 200, body }));
			expect(outcomes.only).toBe("answer-malformed");
		},
	);

	it("refuses a body that is too long", () => {
		const long = "x".repeat(2049);
		expect(
			askManifest((rig) => (nonce) => rig.server.answer({ nonce, status: 200, body: long })).outcomes.only,
		).toBe("answer-malformed");
	});

	it.each([
		["connect-failed", "network-unavailable"],
		["closed", "network-unavailable"],
		["response-truncated", "network-unavailable"],
		["connect-timeout", "network-timeout"],
		["idle-timeout", "network-timeout"],
		["total-timeout", "network-timeout"],
		["bad-status-line", "http-malformed"],
		["over-delivery", "http-malformed"],
		["transfer-encoding-refused", "http-malformed"],
		["body-too-large", "answer-malformed"],
	] as const)("calls the HTTP failure %s %s", (failure, code) => {
		expect(askManifest(() => () => failure).outcomes.only).toBe(code);
	});

	it("knows all failures of the client", () => {
		for (const failure of HTTP_CLIENT_ERRORS) {
			expect(askManifest(() => () => failure).outcomes.only).toMatch(
				/^(network-|http-malformed|answer-malformed)/,
			);
		}
	});
});
