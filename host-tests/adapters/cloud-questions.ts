// Questions to put to a cloud, and the turns a scripted server may take. Called by the cloud's tests; it must not know
// what they expect.

import { expect } from "vitest";
import { encodeManifest, type Manifest } from "../../src/protocol/manifest.js";
import type { StatusReport } from "../../src/protocol/status-report.js";
import { CloudRig, Outcomes, type Turn } from "./cloud-rig.js";
import type { Reply } from "./scripted-http-client.js";

export const MANIFEST: Manifest = {
	version: "1.1.0",
	buildNumber: 7,
	sizeBytes: 40_000,
	hash: "ab".repeat(32),
	chunkBytes: 4096,
	chunkCount: 10,
	release: "a.b.c",
};
export const MANIFEST_JSON = encodeManifest(MANIFEST);
export const REPORT: StatusReport = {
	state: "IDLE",
	bootStatus: "normal",
	deviceType: "inverter",
	chip: "esp32c3",
	version: "1.0.0",
	slot: "ota_0",
	resetReason: "poweron",
	uptimeSeconds: 3,
};
export const QUERY = { version: "1.0.0+x.1", chunkBytes: 4096 };

/** The outcome of asking for the manifest when the server does `turns`. */
export function askManifest(turn: (rig: CloudRig) => Turn, ...more: ((rig: CloudRig) => Turn)[]) {
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

export const good =
	(rig: CloudRig): Turn =>
	(nonce) =>
		rig.server.answer({ nonce, status: 200, body: MANIFEST_JSON });
export const stale =
	(next: number) =>
	(rig: CloudRig): Turn =>
	(nonce) =>
		rig.server.problem({ nonce, status: 401, code: "nonce-stale", next });
export const altered =
	(change: (reply: Reply) => Reply) =>
	(rig: CloudRig): Turn =>
	(nonce, request) =>
		change(good(rig)(nonce, request) as Reply);
