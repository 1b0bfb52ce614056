import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8Encode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { INFO_MAX_BYTES } from "../../src/protocol/limits.js";
import {
	type DeviceInformation,
	encodeDeviceInformation,
	encodePushAuthorization,
	encodePushResult,
	parseDeviceInformation,
	parsePushAuthorization,
	parsePushResult,
	pushMacInput,
} from "../../src/protocol/push.js";

const LONGEST: DeviceInformation = {
	deviceId: "d".repeat(32),
	deviceType: "t".repeat(32),
	chip: "esp32c3",
	version: "1".repeat(31),
	builtAt: "Nov 21 2026 12:00:00",
	idfVersion: "v".repeat(31),
	sdkVersion: "s".repeat(31),
	running: "ota_0",
	boot: "ota_1",
	warning: "w".repeat(120),
	isOnTrial: true,
	slots: ["factory", "ota_0", "ota_1"].map((label) => ({
		label,
		state: "undefined" as const,
		version: '"'.repeat(31),
		sizeBytes: 8 * 1024 * 1024,
	})),
	state: "BOOT_VERIFICATION",
	progress: { version: "2".repeat(31), hash: "a".repeat(64), chunksReceived: 8191, chunkCount: 8192 },
	error: { code: "bootloader-without-rollback", message: "\u20ac".repeat(120) },
	uptimeSeconds: 4_294_967_295,
	challenge: "0".repeat(32),
};

describe("what a device says of itself", () => {
	it("comes back as it was, at its longest too, within its limit", () => {
		const bytes = utf8Encode(encodeDeviceInformation(LONGEST));
		expect(bytes.length).toBeLessThanOrEqual(INFO_MAX_BYTES);
		expect(parseDeviceInformation(bytes)).toEqual(LONGEST);
	});

	it("is refused with any field missing or of another kind, never with another error", () => {
		const whole = JSON.parse(encodeDeviceInformation(LONGEST)) as Record<string, unknown>;
		fc.assert(
			fc.property(fc.constantFrom(...Object.keys(whole)), fc.jsonValue({ maxDepth: 2 }), (name, value) => {
				try {
					parseDeviceInformation(utf8Encode(JSON.stringify({ ...whole, [name]: value })));
				} catch (error) {
					expect(error).toBeInstanceOf(FotaError);
					expect((error as FotaError).code).toBe("answer-malformed");
				}
			}),
		);
	});
});

describe("the credential of a push", () => {
	const authorization = { challenge: "0123456789abcdef".repeat(2), macHex: "ab".repeat(32) };

	it("comes back as it was", () => {
		const parsed = parsePushAuthorization(encodePushAuthorization(authorization));
		expect(parsed).toEqual({ challenge: authorization.challenge, mac: new Uint8Array(32).fill(0xab) });
	});

	it.each([
		["", "nothing"],
		[encodePushAuthorization(authorization).replace("PUSH-", ""), "the scheme of requests to the server"],
		[encodePushAuthorization({ ...authorization, challenge: "0".repeat(31) }), "a short challenge"],
		[encodePushAuthorization({ ...authorization, challenge: "A".repeat(32) }), "capitals"],
		[encodePushAuthorization({ ...authorization, macHex: "ab".repeat(31) }), "a short MAC"],
		[`${encodePushAuthorization(authorization)} `, "a blank behind"],
		[`${encodePushAuthorization(authorization)}${"x".repeat(5000)}`, "more behind"],
	])("is not %j: %s", (header) => {
		expect(parsePushAuthorization(header)).toBeUndefined();
	});

	it("is over all that matters, each on its line", () => {
		const input = pushMacInput({
			method: "POST",
			target: "/update",
			challenge: "c",
			statementHash: "h",
			contentLengthBytes: 9,
		});
		expect(String.fromCharCode(...input)).toBe("FOTA-PUSH-1\nPOST\n/update\nc\nh\n9");
	});
});

it("the result of a push comes back as it was, and nothing else is one", () => {
	const result = { version: "1.1.0", hash: "a".repeat(64), restartSeconds: 3 };
	expect(parsePushResult(utf8Encode(encodePushResult(result)))).toEqual(result);
	expect(() => parsePushResult(utf8Encode('{"result":"maybe"}'))).toThrow(FotaError);
});
