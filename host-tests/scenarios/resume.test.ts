// Scenario 2: a reset or a lost connection in the middle of a download; it goes on where it was, nothing twice.
import { describe, expect, test } from "vitest";
import { CHUNK_PATH } from "../../src/protocol/chunk-frames.js";
import { Rig } from "../support/rig.js";

const CHUNK_BYTES = 16_384;

/** First chunk of each download request, in order. */
function firstChunks(targets: readonly string[]): number[] {
	return targets
		.filter((target) => target.startsWith(CHUNK_PATH))
		.map((target) => Number(new URL(target, "http://x").searchParams.get("chunk_number")));
}

describe("a download that is interrupted", { timeout: 240_000 }, () => {
	test("by a power cut goes on behind the last whole chunk", async () => {
		const rig = await Rig.open();
		const measured = await rig.device({ settings: { chunkBytes: CHUNK_BYTES } });
		await rig.publish("1.1.0");
		const { stats } = await measured.run({ until: ["state VERIFYING"] });
		const operation = Math.floor((stats?.flash.operations ?? 0) / 2);
		expect(operation).toBeGreaterThan(100);

		const proxy = await rig.proxy();
		const device = await rig.device({ settings: { chunkBytes: CHUNK_BYTES }, port: proxy.port });
		const cut = ["--cut", `${operation}:half`];
		const result = await device.run({ args: cut, until: ["update 1.1.0 confirmed"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 3 });
		expect(result.stats?.resets[0]?.reason).toBe("POWERON");
		const [first, second = 0, ...others] = firstChunks(proxy.targets);
		expect(first).toBe(0);
		// A chunk whose last sector was reached is authenticated first, alone; the rest follows in one request.
		const isHeld = proxy.targets.some((target) => target.includes("held=1"));
		expect(isHeld ? [second, second + 1] : [undefined]).toContain(others[0]);
		expect(others.length).toBeLessThanOrEqual(1);
		// The torn chunk alone is fetched again: what was programmed before it is a page run of 256 bytes a step.
		const programmed = Math.floor((result.stats?.flash.programmedBytes ?? 0) / CHUNK_BYTES);
		expect(second).toBeGreaterThan(1);
		expect(second).toBeLessThanOrEqual(programmed);
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
	});

	test("by the server's end of the connection asks for the rest only", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		let isCut = false;
		proxy.meddle = ({ target }) => {
			if (isCut || !target.startsWith(CHUNK_PATH)) return undefined;
			isCut = true;
			return "cut";
		};
		const device = await rig.device({ settings: { chunkBytes: CHUNK_BYTES }, port: proxy.port });
		const release = await rig.publish("1.1.0");
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		const half = release.image.length / CHUNK_BYTES / 2;
		const [first, second = 0, ...others] = firstChunks(proxy.targets);
		expect([first, others]).toEqual([0, []]);
		expect(Math.abs(second - half)).toBeLessThanOrEqual(1);
	});

	test("by a newer release begins that one", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		proxy.meddle = ({ target }) => (target.startsWith(CHUNK_PATH) ? "cut" : undefined);
		const device = await rig.device({ port: proxy.port });
		await rig.publish("1.1.0");
		await device.run({ until: ["download-stalled"] });
		await rig.publish("1.2.0");
		proxy.meddle = () => undefined;
		const result = await device.run({ until: ["confirmed"] });
		expect(result.log).toContain("update 1.2.0 confirmed");
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.2.0" });
	});
});
