// A pushed firmware on trial whose server is out of reach: whoever has the key may vouch for it in the server's place.
import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import { fakeJws, fakeRelease } from "../fakes/fake-image.js";
import { HOUR_MS, lines, MINUTE_MS } from "./offering.js";
import { run, type Sender, started } from "./push-sender.js";

/** On trial, and no server from then on. */
function onTrialWithoutServer(change: Parameters<typeof fakeRelease>[0] = { version: "1.1.0" }): Sender {
	const sender = started(change);
	const { device } = sender;
	device.server.fault = () => "network-unavailable";
	expect(run(sender, HOUR_MS, () => device.updater?.state === "BOOT_VERIFICATION")).toBe(true);
	return sender;
}

/** What came of it, or the code of the refusal. */
function vouch({ device, release }: Sender, statement = release.statement): string {
	try {
		return device.updater?.confirmPush(fakeJws(statement)) ? "confirmed" : "noted";
	} catch (cause) {
		return cause instanceof FotaError ? cause.code : String(cause);
	}
}

describe("a pushed firmware on trial without a server", () => {
	it("goes back at its deadline where nobody vouches for it", () => {
		const { device } = onTrialWithoutServer();
		expect(device.run(HOUR_MS, () => device.version === "1.0.0")).toBe(true);
	});

	it("stays where somebody does, and the server is told when it is back", () => {
		const sender = onTrialWithoutServer();
		const { device } = sender;
		expect(vouch(sender)).toBe("noted");
		expect(vouch(sender)).toBe("noted");
		expect(lines(device, /vouched for from the local network/)).toHaveLength(1);
		expect(device.run(MINUTE_MS, () => !device.slots.isOnTrial())).toBe(true);
		expect(vouch(sender)).toBe("confirmed");
		device.server.fault = () => undefined;
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.server.reports.some((report) => report.bootStatus === "boot_successful")).toBe(true);
	});

	it("goes back in spite of it when its own checks fail", () => {
		const sender = started();
		const { device } = sender;
		device.behaviours = { "1.1.0": { healthChecks: [{ name: "sensor", isHealthy: () => false }] } };
		device.server.fault = () => "network-unavailable";
		run(sender, HOUR_MS, () => device.updater?.state === "BOOT_VERIFICATION");
		expect(vouch(sender)).toBe("noted");
		expect(device.run(HOUR_MS, () => device.version === "1.0.0")).toBe(true);
		expect(vouch(sender)).toBe("release-unknown");
	});

	it("is not told that it stays once it is on its way back", () => {
		const sender = onTrialWithoutServer();
		expect(sender.device.run(HOUR_MS, () => sender.device.updater?.state === "ROLLBACK")).toBe(true);
		expect(sender.device.slots.isOnTrial()).toBe(true);
		expect(vouch(sender)).toBe("device-busy");
	});

	it("is not vouched for by the statement of another version, nor of another image of its version", () => {
		const sender = onTrialWithoutServer();
		const { device } = sender;
		expect(vouch(sender, fakeRelease({ version: "1.2.0" }).statement)).toBe("release-unknown");
		expect(vouch(sender, { ...sender.release.statement, hash: "f".repeat(64) })).toBe("release-unknown");
		expect(vouch(sender, { ...sender.release.statement, version: "x" })).toBe("statement-malformed");
		expect(device.run(HOUR_MS, () => device.version === "1.0.0")).toBe(true);
	});

	it("is vouched for in one life only: a restart asks anew", () => {
		const sender = onTrialWithoutServer();
		const { device } = sender;
		vouch(sender);
		device.boot();
		expect(device.run(HOUR_MS, () => device.version === "1.0.0")).toBe(true);
	});
});
