// Scenario 8 on Wi-Fi: the access point is away, refuses, or gives no address; the server has a name. The device waits,
// tries again, says why, and updates itself when it can; the password stays out of its log.
import { describe, expect, test } from "vitest";
import { Rig, type TestRun } from "../support/rig.js";

const WIFI = { ssid: "Office 2", password: "correct horse" };
const ACCESS_POINT = ["--wifi", "Office 2:correct horse"];
const CONFIRMED = "update 1.1.0 confirmed";

async function update(run: TestRun, device: Parameters<Rig["device"]>[0] = {}) {
	const rig = await Rig.open();
	await rig.publish("1.1.0");
	const made = await rig.device({ surroundings: { wifi: WIFI }, ...device });
	return made.run({ until: [CONFIRMED], ...run });
}

describe("a device on Wi-Fi", { timeout: 300_000 }, () => {
	test("joins its network, and updates itself", async () => {
		const result = await update({ args: ACCESS_POINT });
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		expect(result.log).toContain("network: up, address 127.0.0.1");
		expect(result.log).not.toContain(WIFI.password);
	});

	test("joins it under a name that is longer than DHCP takes", async () => {
		const surroundings = { wifi: WIFI, hostname: "h".repeat(63) };
		const result = await update({ args: ACCESS_POINT, until: ["network: up"] }, { surroundings });
		expect(result.stats).toMatchObject({ end: "until", boots: 1 });
	});

	test("that is gone for an hour from the start tries at least once a minute, and comes back", async () => {
		const result = await update({ args: [...ACCESS_POINT, "--wifi-away", "0-3600"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		const tries = result.log.match(/network: not found, or refused/g)?.length ?? 0;
		expect(tries).toBeGreaterThan(50);
		expect(tries).toBeLessThan(80);
		// Up within a minute after the hour, and asked at once: no back-off of the poll is waited out.
		const upMs = Number(/\((\d+)\) fota: network: up/.exec(result.log)?.[1]);
		const behind = result.log.split("fota: network: up")[1]?.split("state DOWNLOADING")[0] ?? "";
		const asked = [...behind.matchAll(/\((\d+)\) fota: state CHECKING_MANIFEST/g)];
		expect(upMs).toBeGreaterThan(3_600_000);
		expect(upMs).toBeLessThan(3_680_000);
		expect(asked).toHaveLength(1);
		expect(Number(asked[0]?.[1]) - upMs).toBeLessThan(1000);
	});

	test("that is gone for an hour in the middle of a download goes on where it was", async () => {
		const result = await update(
			{ args: [...ACCESS_POINT, "--wifi-away", "20-3620"] },
			{ settings: { chunkBytes: 4096, chunksPerInterval: 4, intervalMs: 5000 } },
		);
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		expect(result.log).toMatch(/network: lost; again in/);
		expect(result.stats?.virtualMs).toBeGreaterThan(3_600_000);
	});

	test("with a wrong password says so and never gives up", async () => {
		const result = await update({
			args: ["--wifi", "Office 2:another password", "--max-seconds", "600"],
			until: [],
		});
		expect(result.stats).toMatchObject({ end: "stuck", boots: 1 });
		expect(result.log.match(/network: not found, or refused/g)?.length).toBeGreaterThan(8);
		expect(result.log).not.toContain(WIFI.password);
	});

	test("that gives no address for a while ends each attempt itself", async () => {
		const result = await update({ args: [...ACCESS_POINT, "--dhcp-away", "0-100"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		expect(result.log.match(/network: connected, but given no address/g)?.length).toBeGreaterThan(1);
	});

	test("that answers too late ends each attempt itself", async () => {
		const result = await update({
			args: [...ACCESS_POINT, "--wifi-delay", "1000", "--max-seconds", "300"],
			until: [],
		});
		expect(result.stats).toMatchObject({ end: "stuck", boots: 1 });
		expect(result.log.match(/network: no connection came about/g)?.length).toBeGreaterThan(3);
	});

	test("without being told which says again and again what to do", async () => {
		const result = await update(
			{ args: [...ACCESS_POINT, "--max-seconds", "300"], until: [] },
			{ surroundings: {} },
		);
		expect(result.stats).toMatchObject({ end: "stuck", boots: 1 });
		expect(result.log.match(/no Wi-Fi is set: provision .*--wifi-ssid/g)?.length).toBeGreaterThan(5);
	});
});

describe("a device whose server has a name", { timeout: 300_000 }, () => {
	test("resolves it and updates itself", async () => {
		const result = await update(
			{ args: ["--resolve", "updates.example=127.0.0.1"] },
			{ host: "updates.example", surroundings: {} },
		);
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
	});

	test.each([
		{ what: "nobody knows", args: [], line: "resolving updates.example: no such name" },
		{
			what: "is never answered",
			args: ["--resolve", "updates.example=never"],
			line: "resolving updates.example: no answer",
		},
		{
			what: "leads to nonsense",
			args: ["--resolve", "updates.example=fe80::1"],
			line: "resolving updates.example: no such name",
		},
	])("that $what goes on asking", async ({ args, line }) => {
		const result = await update(
			{ args: [...args, "--max-seconds", "120"], until: [] },
			{ host: "updates.example", surroundings: {} },
		);
		expect(result.stats).toMatchObject({ end: "stuck", boots: 1 });
		expect(result.log.split(line).length).toBeGreaterThan(4);
		expect(result.log).toContain("network-unavailable");
	});
});
