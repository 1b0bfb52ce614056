// Opens the port, with a word for whoever cannot have it, and closes it in time. Called by app.ts.
import type { AddressInfo } from "node:net";
import { FotaError } from "../src/protocol/error-codes.js";
import type { Server } from "./services.js";

/** Returns the base URL. Throws `server-unavailable` that says what to do. */
export async function listen(
	fastify: Server,
	address: { readonly port?: number; readonly host?: string },
): Promise<string> {
	const host = address.host ?? "127.0.0.1";
	const wanted = { port: address.port ?? 0, host };
	try {
		// One line an address: on 0.0.0.0 these are the ones that devices can be given.
		await fastify.listen({ ...wanted, listenTextResolver: (url) => `reachable at ${url}` });
	} catch (cause) {
		throw new FotaError("server-unavailable", listenFault(wanted, cause as NodeJS.ErrnoException), { cause });
	}
	const { port } = fastify.server.address() as AddressInfo;
	const scheme = fastify.initialConfig.https ? "https" : "http";
	return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function listenFault(wanted: { readonly port: number; readonly host: string }, cause: NodeJS.ErrnoException) {
	const { port, host } = wanted;
	switch (cause.code) {
		case "EADDRINUSE":
			return `port ${port} is in use already, perhaps by another server; stop that, or give another one (PORT=8081)`;
		case "EACCES":
			return `port ${port} is not open to this user; give one from 1024 on (PORT=8080)`;
		case "EADDRNOTAVAIL":
		case "ENOTFOUND":
			return `${host} is no address of this machine; HOST=0.0.0.0 means all it has`;
		default:
			return cause.message;
	}
}

/** Takes no new requests; cuts those that are under way after `timeoutMs`. */
export async function stopServer(fastify: Server, timeoutMs: number): Promise<void> {
	const cut = setTimeout(() => {
		fastify.log.warn({ timeoutMs }, "requests under way are cut");
		fastify.server.closeAllConnections();
	}, timeoutMs);
	try {
		await fastify.close();
	} finally {
		clearTimeout(cut);
	}
}
