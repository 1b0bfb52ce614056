// An HTTP client on a fake network and a fake timer, and a record of what each request was told. Used by the
// tests of the HTTP client.

import { expect } from "vitest";
import type { HttpFailure, HttpRequest } from "../../src/adapters/http-client.js";
import { TcpHttpClient } from "../../src/adapters/tcp-http-client.js";
import { FakeSockets } from "./fake-sockets.js";
import { FakeTimer } from "./fake-timer.js";

export const CONNECT_TIMEOUT_MS = 3000;
export const IDLE_TIMEOUT_MS = 2000;
export const TOTAL_TIMEOUT_MS = 20_000;

/** What one request was told. */
export interface Told {
	status: number | undefined;
	mac: string | undefined;
	body: string;
	failures: (HttpFailure | undefined)[];
}

export class HttpClientRig {
	readonly timer = new FakeTimer();
	/** Whatever moves there is looked at without the wait. */
	readonly network = new FakeSockets(() => this.timer.fireRepeating());
	readonly uncaught: unknown[] = [];
	readonly client: TcpHttpClient;

	constructor(receiveBytes = 64) {
		this.client = new TcpHttpClient({
			stack: { sockets: this.network },
			server: { address: "192.0.2.1", port: 8080 },
			timer: this.timer,
			host: "fota.example:8080",
			headerNames: ["x-mac"],
			receiveBytes,
			onUncaught: (cause) => this.uncaught.push(cause),
		});
	}

	/** Hands a request to the client; nothing happens until the clock moves. */
	ask(change: Partial<HttpRequest> = {}): Told {
		const told: Told = { status: undefined, mac: undefined, body: "", failures: [] };
		let isInsideRequest = true;
		this.client.request({
			method: "GET",
			path: "/x",
			maxBodyBytes: 1_000_000,
			connectTimeoutMs: CONNECT_TIMEOUT_MS,
			idleTimeoutMs: IDLE_TIMEOUT_MS,
			totalTimeoutMs: TOTAL_TIMEOUT_MS,
			...change,
			onHead: (status, header) => {
				expect(told.failures).toEqual([]);
				told.status = status;
				told.mac = header("x-mac");
				return change.onHead?.(status, header) ?? true;
			},
			onBody: (buffer, offset, byteCount) => {
				expect(told.failures).toEqual([]);
				told.body += String.fromCharCode(...buffer.subarray(offset, offset + byteCount));
				return change.onBody?.(buffer, offset, byteCount) ?? true;
			},
			onDone: (failure) => {
				expect(isInsideRequest).toBe(false);
				told.failures.push(failure);
				change.onDone?.(failure);
			},
		});
		isInsideRequest = false;
		return told;
	}

	/** A request whose connection stands and whose bytes are sent. */
	askConnected(change: Partial<HttpRequest> = {}): Told {
		const before = this.network.peers.length;
		const told = this.ask(change);
		this.timer.advance(0);
		if (this.network.peers.length > before) this.network.last.accept();
		return told;
	}

	/** What must hold whenever a request has ended: told once, nothing left waiting, nothing escaped. */
	expectDone(told: Told, code: string | undefined): void {
		expect(told.failures.map((failure) => failure?.code)).toEqual([code]);
		expect(this.timer.pendingCount).toBe(0);
		expect(this.timer.escaped).toEqual([]);
		expect(this.network.openCount).toBeLessThanOrEqual(1);
		if (code !== undefined) expect(this.network.openCount).toBe(0);
	}

	/** A request on a new connection works, and afterwards no timer is left. */
	expectAlive(): void {
		const told = this.askConnected({ path: "/alive" });
		expect(this.network.last.sent).toContain("GET /alive HTTP/1.1\r\nHost: fota.example:8080\r\n\r\n");
		this.network.last.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive");
		expect(told.body).toBe("alive");
		this.expectDone(told, undefined);
	}
}

export function response(body: string, ...lines: string[]): string {
	const headers = lines.map((line) => `${line}\r\n`).join("");
	return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
}
