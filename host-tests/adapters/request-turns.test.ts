// The requests of both lines reach the server in the order of their nonces, whatever meets whatever.

import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/protocol/manifest.js";
import type { RollbackOrder } from "../../src/protocol/rollback-order.js";
import type { StatusAnswer } from "../../src/protocol/status-report.js";
import { QUERY, REPORT } from "./cloud-questions.js";
import { CloudRig, Outcomes, type Turn } from "./cloud-rig.js";

/** "No release" to a manifest, an empty status to the rest. */
function rigWith(...first: Turn[]): CloudRig {
	const rig: CloudRig = new CloudRig(...first, (nonce, request) => {
		if (request.path.includes("/manifest")) return rig.server.answer({ nonce, status: 204 });
		const body = request.path.includes("/rollback")
			? '{"rollback":false}'
			: '{"accepted":true,"rollback_pending":false}';
		return rig.server.answer({ nonce, status: 200, body });
	});
	return rig;
}

function askBoth(rig: CloudRig) {
	const manifests = new Outcomes<Manifest | undefined>();
	const reports = new Outcomes<StatusAnswer>();
	rig.cloud.manifest(QUERY, manifests.done);
	rig.cloud.report(REPORT, reports.done);
	return { manifests, reports };
}

function pendingCount(rig: CloudRig): number {
	return rig.clients.reduce((count, client) => count + client.requests.length, 0);
}

describe("requests of two lines", () => {
	it("are signed one after the other", () => {
		const rig = rigWith();
		const { manifests, reports } = askBoth(rig);
		expect(pendingCount(rig)).toBe(1);
		rig.run();
		rig.run();
		expect(manifests.all).toHaveLength(1);
		expect(reports.all).toHaveLength(1);
		expect(rig.server.nonces).toEqual([1, 2]);
	});

	it("pass each other while chunks stream: the head of their answer is enough", () => {
		const rig = rigWith(() => ({
			status: 200,
			headers: { "content-type": "application/vnd.fota.chunks" },
			body: new Uint8Array(40),
			pieceBytes: 10,
		}));
		const seen: number[] = [];
		rig.cloud.fetchChunks({
			hash: "ab".repeat(32),
			chunkBytes: 4096,
			first: 0,
			count: 1,
			isFirstHeld: false,
			bodyBytes: 40,
			wantedBytes: () => 40,
			onData: () => {
				seen.push(pendingCount(rig));
				return true;
			},
			onDone: () => {},
		});
		const reports = new Outcomes<StatusAnswer>();
		rig.cloud.report(REPORT, reports.done);
		rig.run();
		rig.run();
		expect(seen).toEqual([2, 2, 2, 2]);
		expect(reports.only).toEqual({ isRollbackPending: false });
	});

	it("wait while one is asked again with the nonce the server set", () => {
		const rig = rigWith((nonce) =>
			rig.server.problem({ nonce, status: 401, code: "nonce-stale", next: 500 }),
		);
		const { manifests, reports } = askBoth(rig);
		rig.run();
		rig.run();
		expect(rig.server.nonces).toEqual([1, 500, 501]);
		expect(manifests.all).toEqual([{ value: undefined }]);
		expect(reports.only).toEqual({ isRollbackPending: false });
	});

	it("go on after one that got no answer", () => {
		const rig = rigWith(() => "connect-failed");
		const { manifests, reports } = askBoth(rig);
		rig.run();
		rig.run();
		expect(manifests.only).toBe("network-unavailable");
		expect(reports.only).toEqual({ isRollbackPending: false });
	});

	it("do not wait longer than five seconds for one that gets no answer", () => {
		const rig = rigWith();
		askBoth(rig);
		rig.timer.advance(4999);
		expect(pendingCount(rig)).toBe(1);
		rig.timer.advance(1);
		expect(pendingCount(rig)).toBe(2);
		rig.run();
		expect(rig.server.nonces).toEqual([1, 2]);
		expect(rig.timer.pendingCount).toBe(0);
	});

	it("go on after one that could not be signed", () => {
		const rig = rigWith();
		rig.isSigningBroken = true;
		const manifests = new Outcomes<Manifest | undefined>();
		rig.cloud.manifest(QUERY, manifests.done);
		rig.isSigningBroken = false;
		const reports = new Outcomes<StatusAnswer>();
		rig.cloud.report(REPORT, reports.done);
		for (let i = 0; i < 3; i++) rig.run();
		expect(manifests.only).toBe("network-unavailable");
		expect(reports.only).toEqual({ isRollbackPending: false });
	});

	it("are over once each when the cloud is disconnected, the waiting ones too, and new ones follow", () => {
		const rig = rigWith();
		const { manifests, reports } = askBoth(rig);
		const orders = new Outcomes<RollbackOrder | undefined>();
		rig.cloud.rollbackOrder(orders.done);
		rig.cloud.disconnect();
		rig.run();
		rig.run();
		expect([manifests.only, reports.only, orders.only]).toEqual(Array(3).fill("network-unavailable"));
		const later = askBoth(rig);
		rig.run();
		rig.run();
		expect(later.manifests.all).toEqual([{ value: undefined }]);
		expect(later.reports.only).toEqual({ isRollbackPending: false });
	});
});
