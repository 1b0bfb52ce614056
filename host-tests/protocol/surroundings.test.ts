// What a device is told about the place it stands in: bounds of 802.11 and of host names, and that fields of later
// versions do no harm.
import { describe, expect, test } from "vitest";
import { utf8Encode } from "../../src/protocol/encoding.js";
import { parseIdentity } from "../../src/protocol/identity.js";
import { hostnameOf } from "../../src/protocol/surroundings.js";
import { outcomeOf } from "./arbitraries.js";

const IDENTITY = {
	device_id: "device-1",
	device_key: "07".repeat(32),
	device_type: "sensor",
	release_keys: [`04${"11".repeat(64)}`],
	server: { host: "updates.example", port: 80 },
};

const parse = (more: object) => parseIdentity(utf8Encode(JSON.stringify({ ...IDENTITY, ...more })));

describe("an identity", () => {
	test("may leave all of it out, and hold what later versions add", () => {
		const identity = parse({ later: [1, { a: 2 }], wifi: null });
		for (const name of ["wifi", "hostname", "led", "ntp", "push"]) expect(identity).not.toHaveProperty(name);
	});

	test("takes a missing password for an open network", () => {
		expect(parse({ wifi: { ssid: "x" } }).wifi).toEqual({ ssid: "x", password: "" });
	});

	test.each([
		{ wifi: { ssid: "" } },
		{ wifi: { ssid: "a".repeat(33) } },
		{ wifi: { ssid: "ä".repeat(17) } },
		{ wifi: { ssid: "x", password: "1234567" } },
		{ wifi: { ssid: "x", password: "p".repeat(64) } },
		{ wifi: { ssid: "x", password: "pässword" } },
		{ wifi: "x" },
		{ hostname: "-a" },
		{ hostname: "a.b" },
		{ hostname: "a".repeat(64) },
		{ led: { pin: 49, active: "high" } },
		{ led: { pin: -1, active: "high" } },
		{ led: { pin: 2, active: "on" } },
		{ ntp: "a b" },
		{ push: "yes" },
	])("is refused with %j, and does not repeat a secret", (more) => {
		const outcome = outcomeOf(() => parse(more));
		expect(outcome).toMatchObject({ code: "storage-failed" });
		expect(JSON.stringify(outcome)).not.toMatch(/1234567|pässword|pppp/);
	});
});

describe("a host name", () => {
	test.each([
		["device-1", "device-1"],
		["Board_7.cellar", "Board-7-cellar"],
		["a..", "a"],
		["x__-y", "x-y"],
	])("is made from the device id %s", (deviceId, hostname) => {
		expect(hostnameOf({ deviceId })).toBe(hostname);
		expect(parse({ hostname }).hostname).toBe(hostname);
	});

	test("is the one that was told", () => {
		expect(hostnameOf({ deviceId: "device-1", hostname: "boiler" })).toBe("boiler");
	});
});
