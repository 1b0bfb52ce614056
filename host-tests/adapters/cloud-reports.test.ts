// Reports and orders: what is sent, and what is taken from the answer.

import { describe, expect, it } from "vitest";
import type { RollbackOrder } from "../../src/protocol/rollback-order.js";
import type { StatusAnswer } from "../../src/protocol/status-report.js";
import { REPORT } from "./cloud-questions.js";
import { CloudRig, Outcomes } from "./cloud-rig.js";

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
});
