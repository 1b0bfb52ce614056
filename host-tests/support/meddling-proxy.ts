// Stands between device and server and may change, delay, drop or replay what passes, message by message. For tests of
// what an attacker or a broken middlebox can do. It knows HTTP, not the meaning of what it carries.
import { createServer, type IncomingHttpHeaders, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Exchange {
	readonly method: string;
	/** Path with query. */
	readonly target: string;
	/** Counts the requests that came to this proxy, from 1. */
	readonly number: number;
	readonly requestBody: Buffer;
	/** Authorization header of the request. */
	readonly authorization: string;
	status: number;
	headers: IncomingHttpHeaders;
	body: Buffer;
}

/**
 * Called with each answer on its way to the device; changes it in place. "close" drops the connection instead, "stall"
 * says nothing more, "half" sends the head and half the body and then nothing more, "cut" the same but closes.
 */
export type Meddler = (exchange: Exchange) => Promise<Verdict> | Verdict;
export type Verdict = "close" | "stall" | "half" | "cut" | undefined;

export class MeddlingProxy {
	readonly #server: Server;
	readonly #upstreamPort: number;
	/** May be replaced at any time. */
	meddle: Meddler;
	#count = 0;
	/** Targets asked for, in order. */
	readonly targets: string[] = [];

	static async start(options: {
		readonly upstreamPort: number;
		readonly meddle?: Meddler;
	}): Promise<MeddlingProxy> {
		const proxy = new MeddlingProxy(options.upstreamPort, options.meddle ?? (() => undefined));
		await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
		return proxy;
	}

	private constructor(upstreamPort: number, meddle: Meddler) {
		this.#upstreamPort = upstreamPort;
		this.meddle = meddle;
		this.#server = createServer((incoming, outgoing) => {
			const pieces: Buffer[] = [];
			incoming.on("data", (piece: Buffer) => pieces.push(piece));
			incoming.on("end", () => {
				const { method = "GET", url = "/", headers } = incoming;
				void this.#pass({ method, target: url, headers, requestBody: Buffer.concat(pieces) }, outgoing);
			});
			incoming.on("error", () => outgoing.destroy());
		});
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	async #pass(
		asked: { method: string; target: string; headers: IncomingHttpHeaders; requestBody: Buffer },
		outgoing: ServerResponse,
	): Promise<void> {
		this.targets.push(asked.target);
		try {
			const answer = await this.#askUpstream(asked);
			const authorization = asked.headers.authorization ?? "";
			const exchange: Exchange = { ...asked, ...answer, authorization, number: ++this.#count };
			const verdict = await this.meddle(exchange);
			this.#answer(exchange, verdict, outgoing);
		} catch {
			outgoing.destroy();
		}
	}

	#askUpstream(asked: {
		method: string;
		target: string;
		headers: IncomingHttpHeaders;
		requestBody: Buffer;
	}): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
		return new Promise((resolve, reject) => {
			const { method, target: path, headers, requestBody } = asked;
			const upstream = request({
				host: "127.0.0.1",
				port: this.#upstreamPort,
				method,
				path,
				headers,
				agent: false,
			});
			upstream.on("error", reject);
			upstream.on("response", (response) => {
				const pieces: Buffer[] = [];
				response.on("data", (piece: Buffer) => pieces.push(piece));
				response.on("error", reject);
				response.on("end", () =>
					resolve({
						status: response.statusCode ?? 502,
						headers: response.headers,
						body: Buffer.concat(pieces),
					}),
				);
			});
			upstream.end(requestBody);
		});
	}

	#answer(exchange: Exchange, verdict: Verdict, outgoing: ServerResponse): void {
		if (verdict === "close") outgoing.destroy();
		if (verdict === "close" || verdict === "stall") return;
		const headers = { ...exchange.headers };
		delete headers.connection;
		delete headers["keep-alive"];
		delete headers["transfer-encoding"];
		if (exchange.status !== 204) headers["content-length"] = String(exchange.body.length);
		outgoing.writeHead(exchange.status, headers);
		if (verdict === undefined) {
			outgoing.end(exchange.body);
			return;
		}
		outgoing.write(exchange.body.subarray(0, exchange.body.length >> 1), () => {
			if (verdict === "cut") outgoing.destroy();
		});
	}

	async close(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise<void>((resolve) => this.#server.close(() => resolve()));
	}
}
