// A push that power cuts, and what a download makes of the bytes that a push left, on fakes.
import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import { fakeRelease } from "../fakes/fake-image.js";
import type { CutMode } from "../fakes/power.js";
import { HOUR_MS, lines } from "./offering.js";
import { idleDevice, PIECE_BYTES, run, Sender, send, started } from "./push-sender.js";

describe("a power cut in the middle of a push", () => {
	it.each<CutMode>(["before", "half", "scattered", "after"])(
		"%s any operation leaves a device that downloads the same release, or any other, from its start",
		(mode) => {
			const whole = started();
			const before = whole.device.power.count;
			expect(run(whole, HOUR_MS, () => whole.ends.length > 0)).toBe(true);
			const count = whole.device.power.count - before;
			expect(count).toBeGreaterThan(40);
			const bad: string[] = [];
			for (let at = 1; at <= count; at += 2)
				for (const version of ["1.1.0", "1.2.0"]) {
					const sender = started();
					const { device } = sender;
					device.power.cuts = [{ at: device.power.count + at, mode }];
					run(sender, HOUR_MS, () => sender.ends.length > 0 || device.starts.length > 1);
					device.server.release = fakeRelease({ version });
					const isWell = device.run(5 * HOUR_MS, () => device.isSettledOn(version));
					if (!isWell || device.slots.violations.length > 0)
						bad.push(
							`${mode} ${at} ${version}: ${device.slots.violations.join()} ${device.log.slice(-4).join(" | ")}`,
						);
				}
			expect(bad).toEqual([]);
		},
	);

	it.each<CutMode>(["before", "half", "scattered", "after"])(
		"%s any operation, its bytes altered, is no mismatch of the download of the same release",
		(mode) => {
			const good = fakeRelease({ version: "1.1.0" });
			const altered = { ...good, image: good.image.map((byte, at) => (at % 4096 === 7 ? byte ^ 1 : byte)) };
			const whole = new Sender(idleDevice(), altered);
			expect(whole.push()).toBe("accepted");
			const before = whole.device.power.count;
			send(whole, good.image.length - PIECE_BYTES);
			const count = whole.device.power.count - before;
			expect(count).toBeGreaterThan(40);
			const bad: string[] = [];
			for (let at = 1; at <= count; at++) {
				const sender = new Sender(idleDevice(), altered);
				const { device } = sender;
				sender.stopsAtBytes = good.image.length - PIECE_BYTES;
				expect(sender.push()).toBe("accepted");
				device.power.cuts = [{ at: device.power.count + at, mode }];
				run(sender, HOUR_MS, () => device.starts.length > 1);
				device.server.release = good;
				const isWell = device.run(5 * HOUR_MS, () => device.isSettledOn("1.1.0"));
				const mismatches = lines(device, /hash-mismatch|goes on at chunk/);
				if (!isWell || mismatches.length > 0) bad.push(`${mode} ${at}: ${mismatches.join()}`);
			}
			expect(bad).toEqual([]);
		},
	);
});

describe("a download after a push of the same release", () => {
	it("that broke off fetches every chunk, and resumes on its own bytes from there", () => {
		const sender = started();
		const { device } = sender;
		send(sender, 150_000);
		sender.sink?.abort(new FotaError("push-aborted", "gone"));
		device.server.release = sender.release;
		device.updater?.checkNow();
		expect(device.run(HOUR_MS, () => device.server.sentChunks.size >= 6)).toBe(true);
		device.power.cuts = [{ at: device.power.count + 1, mode: "half" }];
		expect(device.run(5 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.server.sentChunks.size).toBe(12);
		expect(lines(device, /goes on at chunk [56] of 12/)).toHaveLength(1);
		expect(device.slots.violations).toEqual([]);
	});
});
