// A program that takes webhooks, on the loopback: keeps what it gets, answers as the test says.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
	readonly headers: IncomingHttpHeaders;
	readonly body: string;
	readonly path: string;
}

export class WebhookReceiver {
	readonly received: Received[] = [];
	/** Status of the next answers. 0: none, the connection stays open. */
	status = 204;
	/** Body of the next answers. */
	answer = "";
	location = "";
	readonly #server: Server;

	private constructor(server: Server) {
		this.#server = server;
	}

	static async start(): Promise<WebhookReceiver> {
		const server = createServer();
		const receiver = new WebhookReceiver(server);
		server.on("request", async (request, response) => {
			let body = "";
			for await (const piece of request) body += piece;
			receiver.received.push({ headers: request.headers, body, path: request.url ?? "" });
			if (receiver.status === 0) return;
			if (receiver.location !== "") response.setHeader("location", receiver.location);
			response.writeHead(receiver.status).end(receiver.status === 204 ? undefined : receiver.answer);
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return receiver;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}/hook`;
	}

	get types(): string[] {
		return this.received.map(({ body }) => JSON.parse(body).type);
	}

	async close(): Promise<void> {
		this.#server.closeAllConnections();
		this.#server.close();
		await once(this.#server, "close");
	}
}

/** For AppOptions: regular work comes round quickly. */
export const QUICK_WORK: { every: (everyMs: number, task: () => Promise<void>) => () => void } = {
	every(everyMs, task) {
		// The webhooks' task; the others keep their time.
		const timer = setInterval(() => void task(), everyMs === 1000 ? 20 : everyMs);
		return () => clearInterval(timer);
	},
};
