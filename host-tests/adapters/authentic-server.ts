// The server's side of device authentication, written from docs/protocol.md §3 with Node's crypto, so that the
// device's side is not compared with itself.

import { createHash, createHmac, hkdfSync } from "node:crypto";
import type { HttpRequest } from "../../src/adapters/http-client.js";
import type { Reply } from "./scripted-http-client.js";

export interface AnswerParts {
	readonly nonce: number;
	readonly status: number;
	readonly body?: string;
	readonly type?: string;
}

export class AuthenticServer {
	/** As the Authorization headers that came had them. */
	readonly nonces: number[] = [];
	readonly #requestKey: Buffer;
	readonly #responseKey: Buffer;

	constructor(deviceKey: Uint8Array) {
		const derive = (info: string) =>
			Buffer.from(hkdfSync("sha256", deviceKey, "fota derived key 1", info, 32));
		this.#requestKey = derive("request");
		this.#responseKey = derive("response");
	}

	/** The nonce of a well-signed request; throws on any other. */
	nonceOf(request: HttpRequest): number {
		const header = request.headers?.find(({ name }) => name === "Authorization")?.value ?? "";
		const match = /^FOTA-HMAC-SHA256 device="([^"]+)", nonce="([0-9]+)", mac="([0-9a-f]{64})"$/.exec(header);
		const bodyHash = createHash("sha256")
			.update(request.body ?? "")
			.digest("hex");
		const text = `FOTA-REQUEST-1\n${request.method}\n${request.path}\n${match?.[2]}\n${bodyHash}`;
		const mac = createHmac("sha256", this.#requestKey).update(text).digest("hex");
		if (match?.[1] !== "dev-1" || match[3] !== mac) throw new Error(`not signed: ${header}`);
		const nonce = Number(match[2]);
		this.nonces.push(nonce);
		return nonce;
	}

	mac(parts: AnswerParts): string {
		const bodyHash = createHash("sha256")
			.update(parts.body ?? "")
			.digest("hex");
		const text = `FOTA-RESPONSE-1\n${parts.nonce}\n${parts.status}\n${bodyHash}`;
		return createHmac("sha256", this.#responseKey).update(text).digest("hex");
	}

	answer(parts: AnswerParts): Reply {
		return {
			status: parts.status,
			headers: { "content-type": parts.type ?? "application/json", "fota-mac": this.mac(parts) },
			body: new TextEncoder().encode(parts.body ?? ""),
		};
	}

	problem(parts: {
		readonly nonce: number;
		readonly status: number;
		readonly code: string;
		readonly next?: number;
	}): Reply {
		const body = JSON.stringify({
			status: parts.status,
			code: parts.code,
			detail: "so it is",
			next_nonce: parts.next,
		});
		return this.answer({ nonce: parts.nonce, status: parts.status, body, type: "application/problem+json" });
	}
}
