// The cloud asks what the protocol says, signed, and uses nothing of an answer that is not authentic.

import { describe, expect, it } from "vitest";
import { HTTP_CLIENT_ERRORS } from "../../src/adapters/http-client.js";
import { NONCE_NAME } from "../../src/adapters/nonces.js";
import { encodeManifest, type Manifest } from "../../src/protocol/manifest.js";
import type { RollbackOrder } from "../../src/protocol/rollback-order.js";
import type { StatusAnswer, StatusReport } from "../../src/protocol/status-report.js";
import { CloudRig, Outcomes, type Turn } from "./cloud-rig.js";
import type { Reply } from "./scripted-http-client.js";

const MANIFEST: Manifest = {
	version: "1.1.0",
	buildNumber: 7,
	sizeBytes: 40_000,
	hash: "ab".repeat(32),
	chunkBytes: 4096,
	chunkCount: 10,
	release: "a.b.c",
};
const MANIFEST_JSON = encodeManifest(MANIFEST);
const REPORT: StatusReport = {
	state: "IDLE",
	bootStatus: "normal",
	deviceType: "inverter",
	chip: "esp32c3",
	version: "1.0.0",
	slot: "ota_0",
	resetReason: "poweron",
	uptimeSeconds: 3,
};
const QUERY = { version: "1.0.0+x.1", chunkBytes: 4096 };

/** The outcome of asking for the manifest when the server does `turns`. */
function askManifest(turn: (rig: CloudRig) => Turn, ...more: ((rig: CloudRig) => Turn)[]) {
	const turns = [turn, ...more].map(
		(make): Turn =>
			(nonce, request) =>
				make(rig)(nonce, request),
	);
	const rig: CloudRig = new CloudRig(...turns);
	const outcomes = new Outcomes<Manifest | undefined>();
	rig.cloud.manifest(QUERY, outcomes.done);
	expect(outcomes.all, "done from inside the call").toHaveLength(0);
	rig.run();
	return { rig, outcomes };
}

const good =
	(rig: CloudRig): Turn =>
	(nonce) =>
		rig.server.answer({ nonce, status: 200, body: MANIFEST_JSON });
const stale =
	(next: number) =>
	(rig: CloudRig): Turn =>
	(nonce) =>
		rig.server.problem({ nonce, status: 401, code: "nonce-stale", next });
const altered =
	(change: (reply: Reply) => Reply) =>
	(rig: CloudRig): Turn =>
	(nonce, request) =>
		change(good(rig)(nonce, request) as Reply);

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

describe("a problem instead of an answer", () => {
	it("says what it says if it is authentic", () => {
		const turn =
			(rig: CloudRig): Turn =>
			(nonce) =>
				rig.server.problem({ nonce, status: 404, code: "release-unknown" });
		expect(askManifest(turn).outcomes.only).toBe("release-unknown");
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

describe("reports and orders", () => {
	const ask = (body: string, status = 200) => {
		const rig: CloudRig = new CloudRig((nonce) => rig.server.answer({ nonce, status, body }));
		const reports = new Outcomes<StatusAnswer>();
		const orders = new Outcomes<RollbackOrder | undefined>();
		rig.cloud.report(REPORT, reports.done);
		rig.run();
		rig.cloud.rollbackOrder(orders.done);
		rig.run();
		return { rig, reports, orders };
	};

	it("send the report as JSON and learn of a pending order", () => {
		const { rig, reports } = ask('{"accepted":true,"rollback_pending":true}');
		expect(reports.only).toEqual({ isRollbackPending: true });
		const [request] = rig.requests;
		expect(request).toMatchObject({ method: "POST", path: "/api/inverter/fota/status" });
		expect(request?.headers).toContainEqual({ name: "Content-Type", value: "application/json" });
		expect(JSON.parse(new TextDecoder().decode(request?.body))).toMatchObject({
			fota_state: "IDLE",
			uptime_s: 3,
		});
	});

	it("take an order", () => {
		const { orders } = ask('{"rollback":true,"order_id":3,"reason":"too warm"}');
		expect(orders.only).toEqual({ orderId: 3, reason: "too warm" });
	});

	it("find no order", () => {
		expect(ask('{"rollback":false}').orders.all).toEqual([{ value: undefined }]);
	});

	it("take nothing from a 204", () => {
		const { reports, orders } = ask("", 204);
		expect([reports.only, orders.only]).toEqual(["http-status", "http-status"]);
	});

	it("refuse a forged order", () => {
		const rig: CloudRig = new CloudRig((nonce) => ({
			...rig.server.answer({ nonce, status: 200, body: '{"rollback":false}' }),
			body: new TextEncoder().encode('{"rollback":true,"order_id":9,"reason":"x"}'),
		}));
		const orders = new Outcomes<RollbackOrder | undefined>();
		rig.cloud.rollbackOrder(orders.done);
		rig.run();
		expect(orders.only).toBe("answer-unauthenticated");
	});

	it("pass while chunks stream, on a connection of their own", () => {
		const rig: CloudRig = new CloudRig((nonce) =>
			rig.server.answer({ nonce, status: 200, body: '{"accepted":true}' }),
		);
		const reports = new Outcomes<StatusAnswer>();
		rig.cloud.manifest(QUERY, () => undefined);
		rig.cloud.report(REPORT, reports.done);
		rig.clients[1]?.run();
		expect(reports.only).toEqual({ isRollbackPending: false });
		expect(rig.clients[0]?.requests).toHaveLength(1);
	});
});

describe("every call", () => {
	it("waits its turn when one is under way, and fails when too many wait", () => {
		const rig: CloudRig = new CloudRig((nonce) =>
			rig.server.answer({ nonce, status: 200, body: MANIFEST_JSON }),
		);
		const outcomes = Array.from({ length: 3 }, () => new Outcomes<Manifest | undefined>());
		for (const { done } of outcomes) rig.cloud.manifest(QUERY, done);
		expect(outcomes.flatMap(({ all }) => all)).toHaveLength(0);
		rig.run();
		expect(outcomes.map(({ only }) => only)).toEqual([MANIFEST, MANIFEST, "network-unavailable"]);
		expect(rig.server.nonces).toEqual([1, 2]);
	});

	it("waits for a report when it asks for an order, and the other way round", () => {
		const rig: CloudRig = new CloudRig(
			(nonce) => rig.server.answer({ nonce, status: 200, body: '{"rollback":false}' }),
			(nonce) => rig.server.answer({ nonce, status: 200, body: '{"accepted":true}' }),
		);
		const orders = new Outcomes<RollbackOrder | undefined>();
		const reports = new Outcomes<StatusAnswer>();
		rig.cloud.rollbackOrder(orders.done);
		rig.cloud.report(REPORT, reports.done);
		rig.run();
		expect(orders.all).toEqual([{ value: undefined }]);
		expect(reports.only).toEqual({ isRollbackPending: false });
	});

	it("that waits is ended by disconnect as well", () => {
		const rig: CloudRig = new CloudRig((nonce) => rig.server.answer({ nonce, status: 204 }));
		const outcomes = Array.from({ length: 2 }, () => new Outcomes<Manifest | undefined>());
		for (const { done } of outcomes) rig.cloud.manifest(QUERY, done);
		rig.cloud.disconnect();
		expect(outcomes.flatMap(({ all }) => all)).toHaveLength(0);
		rig.run();
		expect(outcomes.map(({ only }) => only)).toEqual(["network-unavailable", "network-unavailable"]);
		expect(rig.requests).toHaveLength(0);
	});

	it("is done once and later when it cannot be signed", () => {
		const rig: CloudRig = new CloudRig();
		const outcomes = new Outcomes<Manifest | undefined>();
		rig.isSigningBroken = true;
		rig.cloud.manifest(QUERY, outcomes.done);
		expect(outcomes.all).toHaveLength(0);
		rig.run();
		expect(outcomes.only).toBe("network-unavailable");
	});

	it("is ended by disconnect, and the next one opens a new connection", () => {
		const rig: CloudRig = new CloudRig((nonce) => rig.server.answer({ nonce, status: 204 }));
		const [first, second] = [new Outcomes<Manifest | undefined>(), new Outcomes<Manifest | undefined>()];
		rig.cloud.manifest(QUERY, first.done);
		rig.cloud.disconnect();
		rig.cloud.disconnect();
		rig.cloud.manifest(QUERY, second.done);
		rig.run();
		expect(first.only).toBe("network-unavailable");
		expect(second.all).toEqual([{ value: undefined }]);
		expect(rig.clients.map(({ isClosed }) => isClosed)).toEqual([true, true, false]);
	});

	it("may be followed by the next from inside its done", () => {
		const rig: CloudRig = new CloudRig((nonce) => rig.server.answer({ nonce, status: 204 }));
		const second = new Outcomes<Manifest | undefined>();
		rig.cloud.manifest(QUERY, () => rig.cloud.manifest(QUERY, second.done));
		rig.run();
		expect(second.all).toEqual([{ value: undefined }]);
	});
});
