// Release keys, statements and images for tests, signed by Node's own crypto: independent of cli/ and of the server.
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { buildEspImage } from "../../cli/image/esp-image-builder.js";
import { encodeSigningInput, type ReleaseStatement } from "../../src/protocol/release-statement.js";

export interface ReleaseKey {
	readonly privateKey: KeyObject;
	readonly publicKeyHex: string;
	readonly keyId: string;
}

export function makeReleaseKey(): ReleaseKey {
	const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const { x = "", y = "" } = publicKey.export({ format: "jwk" });
	const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
	return { privateKey, publicKeyHex: point.toString("hex"), keyId: sha256(point).slice(0, 16) };
}

export function sha256(bytes: Uint8Array | string): string {
	return createHash("sha256").update(bytes).digest("hex");
}

export interface ImageOptions {
	readonly version?: string;
	readonly chip?: ReleaseStatement["chip"];
	readonly sizeBytes?: number;
	readonly seed?: number;
}

export function makeImage(options: ImageOptions = {}): Uint8Array {
	return buildEspImage({
		chip: options.chip ?? "esp32",
		version: options.version ?? "1.1.0",
		projectName: "test",
		payload: new TextEncoder().encode("payload"),
		sizeBytes: options.sizeBytes ?? 10_000,
		seed: options.seed ?? 0,
	});
}

/** A true statement about the image, with `changes` that may make it false. */
export function statementFor(image: Uint8Array, changes: Partial<ReleaseStatement> = {}): ReleaseStatement {
	return {
		deviceType: "thermostat",
		chip: "esp32",
		version: "1.1.0",
		buildNumber: 1,
		securityVersion: 0,
		sizeBytes: image.length,
		hash: sha256(image),
		minCurrentVersion: undefined,
		releasedAt: 1_700_000_000,
		...changes,
	};
}

export function signStatement(statement: ReleaseStatement, key: ReleaseKey): string {
	const input = encodeSigningInput(statement, key.keyId);
	const signature = sign("sha256", Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
	return `${input}.${signature.toString("base64url")}`;
}

/** As the store keeps one, for tests that need no image of it. */
export const RELEASE_ROW = {
	device_type: "t",
	chip: "esp32",
	version: "1.1.0",
	build_number: 1,
	security_version: 0,
	size_bytes: 1,
	hash: "h",
	min_current_version: null,
	released_at: 1,
	chunk_bytes: 4096,
	description: null,
	statement: "s",
	key_id: "k",
	project_name: "p",
	is_active: 1,
	created_at_ms: 1,
	updated_at_ms: 1,
};
