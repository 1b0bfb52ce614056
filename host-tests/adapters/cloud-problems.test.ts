// A problem instead of an answer: what it may tell the device, and that a stale nonce is set right once.

import { describe, expect, it } from "vitest";
import { NONCE_NAME } from "../../src/adapters/nonces.js";
import { askManifest, good, MANIFEST, stale } from "./cloud-questions.js";
import type { CloudRig, Turn } from "./cloud-rig.js";

describe("a problem instead of an answer", () => {
	it.each([
		[404, "release-unknown"],
		[400, "request-malformed"],
		[500, "server-failed"],
		[503, "server-unavailable"],
	])("says what it says if it is authentic: %i %s", (status, code) => {
		const turn =
			(rig: CloudRig): Turn =>
			(nonce) =>
				rig.server.problem({ nonce, status, code });
		expect(askManifest(turn).outcomes.only).toBe(code);
	});

	it("has no say in what only the device can know", () => {
		const turn =
			(rig: CloudRig): Turn =>
			(nonce) =>
				rig.server.problem({ nonce, status: 400, code: "hash-mismatch" });
		expect(askManifest(turn).outcomes.only).toBe("http-status");
	});

	it("says no more than its status without a MAC", () => {
		const turn =
			(rig: CloudRig): Turn =>
			(nonce) => ({
				...rig.server.problem({ nonce, status: 401, code: "nonce-stale", next: 5000 }),
				headers: { "content-type": "application/problem+json" },
			});
		const { rig, outcomes } = askManifest(turn);
		expect(outcomes.only).toBe("http-status");
		expect(rig.requests).toHaveLength(1);
		expect(rig.storage.writeCount).toBe(1);
	});

	it("is an attack with a wrong MAC", () => {
		const turn =
			(rig: CloudRig): Turn =>
			(nonce) =>
				rig.server.problem({ nonce: nonce + 1, status: 401, code: "nonce-stale", next: 5000 });
		const { rig, outcomes } = askManifest(turn);
		expect(outcomes.only).toBe("answer-unauthenticated");
		expect(rig.requests).toHaveLength(1);
	});

	it.each([200 + 1, 301, 404, 500, 503])("of another kind is its status: %i", (status) => {
		expect(
			askManifest(() => () => ({ status, headers: { "content-type": "text/html" } })).outcomes.only,
		).toBe("http-status");
	});

	it.each([
		[503, "server-unavailable", "60", 60],
		[429, "rate-limited", "0", 0],
		[503, "server-unavailable", undefined, undefined],
		// A date: a device does not know the time for sure.
		[503, "server-unavailable", "Fri, 31 Dec 2999 23:59:59 GMT", undefined],
		[503, "server-unavailable", "-5", undefined],
		[503, "server-unavailable", "1e9", undefined],
		[503, "server-unavailable", "99999999999", undefined],
		[500, "server-failed", "60", undefined],
		[404, "release-unknown", "60", undefined],
	])(
		"of status %i, code %s and Retry-After %s says when to come again: %s",
		(status, code, header, seconds) => {
			const turn =
				(rig: CloudRig): Turn =>
				(nonce) => {
					const reply = rig.server.problem({ nonce, status, code });
					return {
						...reply,
						headers: { ...reply.headers, ...(header !== undefined && { "retry-after": header }) },
					};
				};
			const { outcomes } = askManifest(turn);
			expect(outcomes.only).toBe(code);
			expect(outcomes.all[0]?.error?.retryAfterSeconds).toBe(seconds);
		},
	);

	it.each([
		["a page of a proxy", "text/html"],
		["a problem without MAC", "application/problem+json"],
	])("that is %s says when to come again too", (_title, type) => {
		const headers = { "content-type": type, "retry-after": "30" };
		const { outcomes } = askManifest(() => () => ({ status: 503, headers }));
		expect(outcomes.only).toBe("http-status");
		expect(outcomes.all[0]?.error?.retryAfterSeconds).toBe(30);
	});

	it("of a stale nonce is answered with the next one, kept, and asked again once", () => {
		const { rig, outcomes } = askManifest(stale(5000), good);
		expect(outcomes.only).toEqual(MANIFEST);
		expect(rig.server.nonces).toEqual([1, 5000]);
		expect(Number(rig.storage.texts.get(NONCE_NAME))).toBeGreaterThan(5000);
	});

	it("of a stale nonce twice ends it", () => {
		const { rig, outcomes } = askManifest(stale(5000), stale(6000));
		expect(outcomes.only).toBe("nonce-stale");
		expect(rig.requests).toHaveLength(2);
	});

	it("of a stale nonce without a usable next one ends it", () => {
		expect(askManifest(stale(Number.MAX_SAFE_INTEGER)).outcomes.only).toBe("nonce-stale");
	});
});
