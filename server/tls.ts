// HTTPS by the server itself: certificate and key from files, read anew when the operator says so (SIGHUP), without a
// connection being cut. Called by http-server.ts and app.ts.
import { readFileSync } from "node:fs";
import { createSecureContext, type Server as TlsServer } from "node:tls";
import { FotaError } from "../src/protocol/error-codes.js";
import type { Server } from "./services.js";

export interface TlsFiles {
	/** PEM, the server's certificate first, then those of its issuers. */
	readonly certPath: string;
	/** PEM, without a passphrase. */
	readonly keyPath: string;
}

export interface TlsPair {
	readonly cert: Buffer;
	readonly key: Buffer;
}

/** Throws `server-failed` when a file cannot be read, or certificate and key do not belong together. */
export function readTlsPair({ certPath, keyPath }: TlsFiles): TlsPair {
	try {
		const pair = { cert: readFileSync(certPath), key: readFileSync(keyPath) };
		createSecureContext(pair);
		return pair;
	} catch (cause) {
		const reason = (cause as Error).message;
		throw new FotaError("server-failed", `TLS with ${certPath} and ${keyPath} cannot be: ${reason}`, {
			cause,
		});
	}
}

/** Connections that are open go on as they are. Throws `server-failed`; nothing is changed then. */
export async function reloadTls(server: Server, files: TlsFiles | undefined): Promise<void> {
	if (files === undefined) return;
	const pair = readTlsPair(files);
	(server.server as unknown as TlsServer).setSecureContext(pair);
	server.log.info({ certificate: files.certPath }, "TLS certificate read anew");
}
