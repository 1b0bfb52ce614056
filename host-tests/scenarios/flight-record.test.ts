// What the server knows of a device behind a failed update, and of its slots at all times: told by the firmware itself.
import { describe, expect, test } from "vitest";
import { CHUNK_PATH, FRAME_OVERHEAD_BYTES } from "../../src/protocol/chunk-frames.js";
import { Rig, type TestDevice } from "../support/rig.js";

const CHUNK_BYTES = 16_384;
const WIFI = { ssid: "shed", password: "correct horse" };
const ACCESS_POINT = ["--wifi", "shed:correct horse", "--wifi-rssi", "-77"];

interface Detail {
	readonly slots: readonly { slot: string; version: string | null; hash: string | null; state: string }[];
	readonly last_failure: Record<string, unknown> | null;
}

async function detail(rig: Rig, device: TestDevice): Promise<Detail> {
	const url = `http://127.0.0.1:${rig.port}/api/devices/${device.identity.deviceId}`;
	const answer = await fetch(url, { headers: { authorization: `Bearer ${rig.app.adminToken}` } });
	return (await answer.json()) as Detail;
}

function until(rig: Rig, device: TestDevice) {
	return expect.poll(() => detail(rig, device), { timeout: 120_000, interval: 200 });
}

function slotsAre(
	...slots: readonly [slot: string, state: string, version: string | null, hash: string | null][]
) {
	return {
		slots: slots.map(([slot, state, version, hash]) =>
			expect.objectContaining({ slot, state, version, hash }),
		),
	};
}

describe("the server", { timeout: 300_000 }, () => {
	test("has a flight record of a download that failed: stage, offset, code, reset reason, memory, signal", async () => {
		const rig = await Rig.open();
		// Chunk 1 never passes.
		const proxy = await rig.proxy((exchange) => {
			const first = Number(/chunk_number=(\d+)/.exec(exchange.target)?.[1]);
			if (!exchange.target.startsWith(CHUNK_PATH) || first > 1) return undefined;
			const at = (1 - first) * (CHUNK_BYTES + FRAME_OVERHEAD_BYTES) + 100;
			exchange.body[at] = (exchange.body[at] ?? 0) ^ 1;
			return undefined;
		});
		const device = await rig.device({ port: proxy.port, surroundings: { wifi: WIFI } });
		await rig.publish("1.1.0");
		await device.start({ args: ACCESS_POINT });
		const record = { stage: "DOWNLOADING", offset_bytes: CHUNK_BYTES, error_code: "download-stalled" };
		const own = { reset_reason: "poweron", rssi_dbm: -77, memory_min_bytes: expect.any(Number) };
		await until(rig, device).toMatchObject({ last_failure: { ...record, ...own } });
	});

	test("knows version, hash and state of both slots before and after an update, and after rollbacks", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ surroundings: { wifi: WIFI } });
		const running = await device.start({ args: ACCESS_POINT, maxWallSeconds: 280 });
		await until(rig, device).toMatchObject(
			slotsAre(["ota_0", "running", "1.0.0", null], ["ota_1", "empty", null, null]),
		);
		const { hash } = await rig.publish("1.1.0");
		await running.waitForLine("update 1.1.0 confirmed");
		await until(rig, device).toMatchObject(
			slotsAre(["ota_0", "previous", "1.0.0", null], ["ota_1", "running", "1.1.0", hash]),
		);
		const bad = await rig.publish("1.2.0", { entry: "crashes-at-boot" });
		await running.waitForLine("update 1.2.0 rolled back: boot-crashed");
		await until(rig, device).toMatchObject({
			...slotsAre(["ota_0", "invalid", "1.2.0", bad.hash], ["ota_1", "running", "1.1.0", hash]),
			last_failure: { error_code: "boot-crashed", reset_reason: "sw" },
		});
	});
});
