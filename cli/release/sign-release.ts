// Says what an image is and signs it: the release statement of docs/protocol.md §4. Called by `fota sign`, the demo and
// tests. It must not know the server.
import { createHash, sign } from "node:crypto";
import { base64urlEncode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { checkImage, type ImageCheck } from "../../src/protocol/esp-image.js";
import { NAME_PATTERN } from "../../src/protocol/json.js";
import { IMAGE_MAX_BYTES } from "../../src/protocol/limits.js";
import {
	encodeSigningInput,
	parseSignedStatement,
	type ReleaseStatement,
} from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import type { ReleaseKey } from "./release-key.js";

export interface ReleaseTerms {
	readonly deviceType: string;
	/** Default 0. */
	readonly buildNumber?: number | undefined;
	/** Default: secure_version of the image. */
	readonly securityVersion?: number | undefined;
	readonly minCurrentVersion?: string | undefined;
	/** Unix time in seconds. Default: now. */
	readonly releasedAt?: number | undefined;
}

/** What the image itself says, checked in full, with its SHA-256. Throws CliError when it is no image. */
export function inspectImage(image: Uint8Array): ImageCheck & { readonly hash: string } {
	if (image.length > IMAGE_MAX_BYTES)
		throw new CliError(
			`the image is longer than ${IMAGE_MAX_BYTES} bytes, which is the most a device takes`,
			{
				hint: "Is this the application's .bin, and not a whole flash dump?",
			},
		);
	const check = checkedImage(image);
	const { hashOffsetBytes } = check;
	const inner = createHash("sha256").update(image.subarray(0, hashOffsetBytes)).digest();
	if (inner.compare(image, hashOffsetBytes) !== 0) throw notAnImage("its appended SHA-256 is wrong");
	return { ...check, hash: createHash("sha256").update(image).digest("hex") };
}

function checkedImage(image: Uint8Array): ImageCheck {
	try {
		return checkImage(image);
	} catch (error) {
		if (error instanceof FotaError) throw notAnImage(error.message);
		throw error;
	}
}

function notAnImage(reason: string): CliError {
	return new CliError(`not a valid ESP32 application image: ${reason}`, {
		hint: "Give the application's .bin (mcconfig calls it xs_esp32.bin), or one made by fota build.",
	});
}

/** The statement for an image; version and chip are the image's own. */
export function describeRelease(image: Uint8Array, terms: ReleaseTerms): ReleaseStatement {
	const check = inspectImage(image);
	if (!check.chip) throw notAnImage(`chip ${check.chipId} is not one this project builds for`);
	if (!NAME_PATTERN.test(terms.deviceType)) {
		throw new CliError(`"${terms.deviceType}" is not a device type`, {
			hint: "Up to 32 letters, digits, dots, hyphens and underscores.",
		});
	}
	return {
		deviceType: terms.deviceType,
		chip: check.chip,
		version: check.version,
		buildNumber: terms.buildNumber ?? 0,
		securityVersion: terms.securityVersion ?? check.secureVersion,
		sizeBytes: image.length,
		hash: check.hash,
		minCurrentVersion: terms.minCurrentVersion,
		releasedAt: terms.releasedAt ?? Math.floor(Date.now() / 1000),
	};
}

/** The compact JWS. */
export function signStatement(statement: ReleaseStatement, key: ReleaseKey): string {
	const input = encodeSigningInput(statement, key.keyId);
	const signature = sign("sha256", Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
	return `${input}.${base64urlEncode(signature)}`;
}

/** Describes and signs; what comes out is read back once, so that nothing is published that a device would refuse. */
export function signRelease(image: Uint8Array, terms: ReleaseTerms, key: ReleaseKey): string {
	const jws = signStatement(describeRelease(image, terms), key);
	try {
		parseSignedStatement(jws);
	} catch (error) {
		if (error instanceof FotaError) throw new CliError(`the statement cannot be made: ${error.message}`);
		throw error;
	}
	return jws;
}
