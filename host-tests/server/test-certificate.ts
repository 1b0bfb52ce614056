// A certificate for a server under test, signed by itself: X.509 in DER (RFC 5280), made with Node's own crypto, so that
// no private key lies in the sources and no other program is needed.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TlsFiles } from "../../server/tls.js";

const DAY_MS = 86_400_000;

/** Writes NAME.crt and NAME.key to the folder; returns them with the certificate. */
export async function writeCertificate(
	folder: string,
	name: string,
): Promise<TlsFiles & { readonly certificate: string }> {
	const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const ecdsaWithSha256 = sequence(Buffer.from("06082a8648ce3d040302", "hex"));
	const holder = sequence(
		der(0x31, sequence(Buffer.from("0603550403", "hex"), der(0x0c, Buffer.from(name)))),
	);
	const localhost = Buffer.concat([
		der(0x82, Buffer.from("localhost")),
		der(0x87, Buffer.from([127, 0, 0, 1])),
	]);
	const subjectAltName = sequence(Buffer.from("0603551d11", "hex"), der(0x04, der(0x30, localhost)));
	const body = sequence(
		der(0xa0, der(0x02, Buffer.from([2]))),
		der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
		ecdsaWithSha256,
		holder,
		sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
		holder,
		publicKey.export({ type: "spki", format: "der" }),
		der(0xa3, sequence(subjectAltName)),
	);
	const signature = Buffer.concat([Buffer.from([0]), sign("sha256", body, privateKey)]);
	const certificate = pem("CERTIFICATE", sequence(body, ecdsaWithSha256, der(0x03, signature)));
	const files = { certPath: join(folder, `${name}.crt`), keyPath: join(folder, `${name}.key`) };
	await writeFile(files.certPath, certificate);
	await writeFile(files.keyPath, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
	return { ...files, certificate };
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
	return der(0x30, Buffer.concat(parts));
}

function der(tag: number, value: Uint8Array): Buffer {
	const { length } = value;
	const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from(head), value]);
}

function time(timeMs: number): Buffer {
	const digits = new Date(timeMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
	return der(0x18, Buffer.from(digits));
}

function pem(label: string, bytes: Buffer): string {
	const lines = bytes.toString("base64").replaceAll(/(.{64})(?=.)/g, "$1\n");
	return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
