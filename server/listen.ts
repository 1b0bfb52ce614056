// Opens the port, with a word for whoever cannot have it, and closes it in time. Called by app.ts.
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
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

/**
 * For {@link stopServer}: ends the connections on which no request has begun yet, which Node takes for busy and would wait
 * for (nginx keeps such ones, and whoever connects and says nothing). To be called before there is any.
 */
export function watchUnusedConnections(fastify: Server): () => void {
	/** By the address at the other end: with TLS the socket of a request is another one than that of the connection. */
	const unused = new Map<string, Socket>();
	let isEnding = false;
	fastify.server.on("connection", (socket: Socket) => {
		// The port is open for a moment yet.
		if (isEnding) return socket.destroy();
		const peer = peerOf(socket);
		unused.set(peer, socket);
		socket.once("close", () => {
			if (unused.get(peer) === socket) unused.delete(peer);
		});
	});
	fastify.server.on("request", ({ socket }: IncomingMessage) => unused.delete(peerOf(socket)));
	return () => {
		isEnding = true;
		for (const socket of unused.values()) socket.destroy();
	};
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
	return `${remoteAddress} ${remotePort}`;
}

/** Takes no new requests; cuts those that are under way after `timeoutMs`. */
export async function stopServer(
	fastify: Server,
	{ timeoutMs, endUnused }: { readonly timeoutMs: number; readonly endUnused: () => void },
): Promise<void> {
	const cut = setTimeout(() => {
		fastify.log.warn({ timeoutMs }, "requests under way are cut");
		fastify.server.closeAllConnections();
	}, timeoutMs);
	try {
		endUnused();
		await fastify.close();
	} finally {
		clearTimeout(cut);
	}
}
