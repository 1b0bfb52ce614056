// A pushed image from its offer to the confirmed firmware, on fakes: who is refused, what a sender is told, what is left
// when it breaks off.
import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeJws, fakeRelease } from "../fakes/fake-image.js";
import { HOUR_MS, lines, MINUTE_MS } from "./offering.js";
import { idleDevice, run, Sender, send, started } from "./push-sender.js";

describe("a pushed image", () => {
	it("becomes the confirmed firmware, and the server is told as of any other", () => {
		const sender = started();
		const { device } = sender;
		expect(run(sender, HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(sender.ends).toEqual([undefined]);
		expect(device.slots.violations).toEqual([]);
		expect(device.server.requests).not.toContain("chunks");
		const told = device.server.reports.map((report) => `${report.state} ${report.bootStatus}`);
		expect(told.filter((line, at) => line !== told[at - 1])).toEqual([
			"IDLE normal",
			"DOWNLOADING normal",
			"REBOOTING pending_reboot",
			"BOOT_VERIFICATION boot_verification",
			"COMPLETED boot_successful",
		]);
		expect(lines(device, /push 100 % \(48 of 48 chunks\)/)).toHaveLength(1);
		expect(lines(device, /state DOWNLOADING 1.1.0, 192 KB pushed/)).toHaveLength(1);
	});

	it("tells its sender before the restart, and restarts three seconds later", () => {
		const sender = started();
		const { device } = sender;
		expect(run(sender, HOUR_MS, () => sender.ends.length > 0)).toBe(true);
		expect(device.starts).toEqual(["1.0.0"]);
		expect(device.updater?.state).toBe("REBOOTING");
		const waits: number[] = [];
		device.run(HOUR_MS, () => {
			if (device.starts.length === 1) waits.push(device.time.nextMs ?? 0);
			return device.starts.length > 1;
		});
		expect(waits).toContain(3000);
	});

	it("keeps a poll from starting another update, and another push from beginning", () => {
		const sender = started();
		const { device } = sender;
		send(sender, 20_000);
		device.server.release = fakeRelease({ version: "1.2.0" });
		const before = device.server.requests.length;
		device.updater?.checkNow();
		device.run(30_000);
		expect(device.server.requests.slice(before)).not.toContain("manifest");
		const second = new Sender(device, fakeRelease({ version: "1.3.0" }));
		expect(second.push()).toBe("device-busy");
		expect(run(sender, HOUR_MS, () => sender.ends.length > 0)).toBe(true);
		expect(sender.ends).toEqual([undefined]);
	});

	it("may begin while a poll is under way, whose answer no longer counts", () => {
		const device = new FakeDevice();
		device.run(MINUTE_MS, () => device.updater?.state === "CHECKING_MANIFEST");
		device.server.release = fakeRelease({ version: "1.2.0" });
		const sender = new Sender(device, fakeRelease({ version: "1.1.0" }));
		expect(sender.push()).toBe("accepted");
		expect(run(sender, HOUR_MS, () => device.version === "1.1.0")).toBe(true);
		expect(device.slots.violations).toEqual([]);
	});

	it("is refused while a download is under way, which goes on", () => {
		const device = new FakeDevice();
		device.server.release = fakeRelease({ version: "1.2.0" });
		device.run(MINUTE_MS, () => device.updater?.state === "DOWNLOADING");
		expect(new Sender(device, fakeRelease({ version: "1.3.0" })).push()).toBe("device-busy");
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.2.0"))).toBe(true);
	});

	it("is refused on trial, before the start was judged and after the stop", () => {
		const device = new FakeDevice();
		device.server.release = fakeRelease({ version: "1.1.0" });
		device.run(HOUR_MS, () => device.version === "1.1.0" && device.updater?.state === "BOOT_VERIFICATION");
		const sender = new Sender(device, fakeRelease({ version: "1.2.0" }));
		expect(sender.push()).toBe("device-busy");
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		device.updater?.stop();
		expect(sender.push()).toBe("device-busy");
	});

	it.each([
		["a statement for another chip", { chip: "esp32" as const }, "chip-mismatch"],
		["a statement for another type", { deviceType: "meter" }, "device-type-mismatch"],
		["the running version", { version: "1.0.0" }, "version-not-newer"],
		["a release that needs another first", { minCurrentVersion: "1.0.1" }, "version-too-old"],
	])("is refused with %s, and nothing is written", (_title, change, code) => {
		const sender = new Sender(idleDevice(), fakeRelease({ version: "1.1.0", ...change }));
		const { count } = sender.device.power;
		expect(sender.push()).toBe(code);
		sender.device.run(MINUTE_MS);
		expect(sender.device.power.count).toBe(count);
		expect(lines(sender.device, /state DOWNLOADING|state FAILED/)).toEqual([]);
	});

	it("is refused with a foreign signature, a broken statement or another length, as security events", () => {
		const sender = new Sender(idleDevice(), fakeRelease({ version: "1.1.0" }));
		const { statement } = sender.release;
		expect(sender.push({ release: fakeJws(statement, 2) })).toBe("signature-invalid");
		expect(sender.push({ release: "x" })).toBe("statement-malformed");
		expect(sender.push({ sizeBytes: statement.sizeBytes - 16 })).toBe("manifest-mismatch");
		sender.device.run(MINUTE_MS);
		expect(lines(sender.device, /^security push refused/)).toHaveLength(3);
		const codes = sender.device.server.reports
			.filter((item) => item.isSecurityEvent)
			.map((item) => item.error?.code);
		expect(codes).toEqual(["signature-invalid", "statement-malformed", "manifest-mismatch"]);
	});

	it("whose sender breaks off leaves a device that polls, downloads and takes pushes as before", () => {
		const sender = started();
		const { device } = sender;
		send(sender, 100_000);
		sender.sink?.abort(new FotaError("push-aborted", "gone"));
		expect(sender.ends).toMatchObject([{ code: "push-aborted" }]);
		expect(sender.sink?.take(sender.release.image, 0, 10)).toBe(false);
		expect(device.updater?.state).toBe("IDLE");
		const again = new Sender(device, fakeRelease({ version: "1.1.1" }));
		expect(again.push()).toBe("accepted");
		expect(run(again, HOUR_MS, () => device.isSettledOn("1.1.1"))).toBe(true);
		expect(device.slots.violations).toEqual([]);
	});

	it("of a release that came in part before, and wrong, is written anew from its first byte", () => {
		const device = idleDevice();
		const good = fakeRelease({ version: "1.1.0" });
		const sender = new Sender(device, { ...good, image: good.image.map((byte) => byte & 0x55) });
		expect(sender.push()).toBe("accepted");
		send(sender, 150_000);
		sender.sink?.abort(new FotaError("push-aborted", "gone"));
		const again = new Sender(device, good);
		expect(again.push()).toBe("accepted");
		// Nothing of a push that is over reaches the one after it.
		sender.sink?.abort(new FotaError("push-aborted", "once more"));
		expect(run(again, HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(again.ends).toEqual([undefined]);
		expect(device.slots.violations).toEqual([]);
		expect(lines(device, /hash-mismatch/)).toEqual([]);
	});

	it("whose sender is lost without a word is given up after two minutes of silence", () => {
		const sender = started();
		sender.stopsAtBytes = 50_000;
		expect(run(sender, 10 * MINUTE_MS, () => sender.ends.length > 0)).toBe(true);
		expect(sender.ends).toMatchObject([{ code: "push-aborted" }]);
		const { device } = sender;
		expect(device.run(MINUTE_MS, () => device.updater?.state === "IDLE")).toBe(true);
	});

	it("of which more comes than was stated ends without being activated", () => {
		const sender = started();
		const { image } = sender.release;
		send(sender, image.length - 2000);
		expect(sender.sink?.take(new Uint8Array(4000), 0, 4000)).toBe(false);
		expect(sender.ends).toMatchObject([{ code: "device-failed" }]);
	});

	it("with altered bytes is never activated, nor held against the release, however often", () => {
		const device = idleDevice();
		const good = fakeRelease({ version: "1.1.0" });
		for (let attempt = 0; attempt < 5; attempt++) {
			const image = good.image.slice();
			image[5000] = (image[5000] ?? 0) ^ 1;
			const sender = new Sender(device, { image, statement: good.statement });
			expect(sender.push()).toBe("accepted");
			expect(run(sender, HOUR_MS, () => sender.ends.length > 0)).toBe(true);
			expect(sender.ends).toMatchObject([{ code: "hash-mismatch" }]);
		}
		expect(device.starts).toEqual(["1.0.0"]);
		device.server.release = good;
		expect(device.run(5 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("ends with the fault where the flash fails in the middle", () => {
		const sender = started();
		const { device } = sender;
		send(sender, 80_000);
		device.power.isFaulty = () => true;
		expect(run(sender, HOUR_MS, () => sender.ends.length > 0)).toBe(true);
		expect(sender.ends).toMatchObject([{ code: "flash-failed" }]);
		device.power.isFaulty = () => false;
		const again = new Sender(device, sender.release);
		device.run(MINUTE_MS, () => device.updater?.state === "IDLE");
		expect(again.push()).toBe("accepted");
		expect(run(again, HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("over a download that was put off makes that download begin with a look at the flash", () => {
		const device = new FakeDevice();
		const cloud = fakeRelease({ version: "1.2.0" });
		device.server.release = cloud;
		let served = 0;
		device.server.fault = (kind) => (kind === "chunks" && ++served > 0 ? "network-unavailable" : undefined);
		device.run(10 * MINUTE_MS, () => served > 4 && device.updater?.state === "IDLE");
		const sender = new Sender(device, fakeRelease({ version: "1.1.0", sizeBytes: 200_000 }));
		expect(sender.push()).toBe("accepted");
		send(sender, 150_000);
		sender.sink?.abort(new FotaError("push-aborted", "gone"));
		device.server.fault = () => undefined;
		expect(device.run(5 * HOUR_MS, () => device.isSettledOn("1.2.0"))).toBe(true);
		expect(device.slots.violations).toEqual([]);
	});
});
