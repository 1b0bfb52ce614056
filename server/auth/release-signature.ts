// Is a release statement signed by this release key? (docs/protocol.md §4)
import { createPublicKey, verify } from "node:crypto";
import type { SignedStatement } from "../../src/protocol/release-statement.js";

/** Uncompressed P-256 point in hex: 04 | x | y. */
const PUBLIC_KEY_PATTERN = /^04([0-9a-f]{64})([0-9a-f]{64})$/;

/** ES256 (RFC 7518 §3.4) over exactly the bytes that were parsed. False for a key that is not a point of the curve. */
export function isSignedBy(signed: SignedStatement, publicKeyHex: string): boolean {
	const key = importReleaseKey(publicKeyHex);
	if (key === undefined) return false;
	return verify("sha256", signed.signingInput, { key, dsaEncoding: "ieee-p1363" }, signed.signature);
}

/** Undefined when it is not an uncompressed point of P-256 in lower-case hex. */
export function importReleaseKey(publicKeyHex: string) {
	const match = PUBLIC_KEY_PATTERN.exec(publicKeyHex);
	if (match?.[1] === undefined || match[2] === undefined) return undefined;
	const [x, y] = [match[1], match[2]].map((hex) => Buffer.from(hex, "hex").toString("base64url"));
	try {
		return createPublicKey({ key: { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" }, format: "jwk" });
	} catch {
		// Node's error for a point off the curve has no code of its own across versions; any failure means no key.
		return undefined;
	}
}
