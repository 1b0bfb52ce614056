// Every call of the cloud is done once, later, whatever is under way, and whoever disconnects.

import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/protocol/manifest.js";
import type { RollbackOrder } from "../../src/protocol/rollback-order.js";
import type { StatusAnswer } from "../../src/protocol/status-report.js";
import { MANIFEST, MANIFEST_JSON, QUERY, REPORT } from "./cloud-questions.js";
import { CloudRig, Outcomes } from "./cloud-rig.js";

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
