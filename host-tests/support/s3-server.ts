// A small object store on the loopback that speaks the S3 calls the server uses, with their signatures checked
// (Signature Version 4 of AWS), pages of two names, and faults on demand. Keeps objects in memory.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const S3_CREDENTIALS = { accessKeyId: "AKTEST", secretAccessKey: "the-secret-of-the-tests" };
export const BUCKET = "firmware";
const PAGE_NAMES = 2;

interface StoredObject {
	readonly bytes: Buffer;
	readonly modifiedMs: number;
}

/** What the next requests get instead of an answer. */
export type S3Fault = "none" | "status-500" | "status-503" | "cut" | "silent" | "half-a-body" | "denied";

export class S3Server {
	readonly objects = new Map<string, StoredObject>();
	readonly requests: string[] = [];
	/** Until set to "none", or for `faultCount` requests. */
	fault: S3Fault = "none";
	faultCount = Number.POSITIVE_INFINITY;
	readonly #server: Server;

	private constructor() {
		this.#server = createServer((request, response) => void this.#serve(request, response));
	}

	static async start(): Promise<S3Server> {
		const store = new S3Server();
		store.#server.listen(0, "127.0.0.1");
		await once(store.#server, "listening");
		return store;
	}

	get endpoint(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	async close(): Promise<void> {
		this.#server.closeAllConnections();
		this.#server.close();
		await once(this.#server, "close");
	}

	/** As if it had been written then. */
	age(name: string, modifiedMs: number): void {
		const object = this.objects.get(name);
		if (object !== undefined) this.objects.set(name, { ...object, modifiedMs });
	}

	async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const pieces: Buffer[] = [];
		for await (const piece of request) pieces.push(piece as Buffer);
		const body = Buffer.concat(pieces);
		this.requests.push(`${request.method} ${request.url?.split("?")[0]}`);
		if (this.#failed(request, response)) return;
		if (!isSigned(request, body)) problem(response, 403, "SignatureDoesNotMatch");
		else this.#answer(request, response, body);
	}

	#answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
		const url = new URL(request.url ?? "", this.endpoint);
		const [, bucket = "", ...rest] = decodeURIComponent(url.pathname).split("/");
		const name = rest.join("/");
		if (bucket !== BUCKET) problem(response, 404, "NoSuchBucket");
		else if (name !== "") this.#object(request, response, { name, body });
		else if (request.method === "HEAD") response.end();
		else this.#list(url, response);
	}

	#failed(request: IncomingMessage, response: ServerResponse): boolean {
		if (this.fault === "none" || this.faultCount <= 0) return false;
		this.faultCount -= 1;
		if (this.fault === "cut") request.socket.destroy();
		else if (this.fault === "half-a-body") {
			response.writeHead(200, { "content-length": 1000 });
			response.write("half", () => request.socket.destroy());
		} else if (this.fault === "denied") problem(response, 403, "AccessDenied");
		else if (this.fault !== "silent") problem(response, Number(this.fault.slice(-3)), "InternalError");
		return true;
	}

	#object(
		request: IncomingMessage,
		response: ServerResponse,
		{ name, body }: { readonly name: string; readonly body: Buffer },
	): void {
		const copySource = request.headers["x-amz-copy-source"];
		const source =
			typeof copySource === "string" ? decodeURIComponent(copySource).replace(`${BUCKET}/`, "") : name;
		const found = this.objects.get(source);
		const isRead = request.method === "GET" || copySource !== undefined;
		if (isRead && found === undefined) problem(response, 404, "NoSuchKey");
		else if (request.method === "DELETE") {
			this.objects.delete(name);
			response.writeHead(204).end();
		} else if (request.method === "PUT") {
			this.objects.set(name, {
				bytes: found !== undefined && copySource ? found.bytes : body,
				modifiedMs: Date.now(),
			});
			response.end(copySource ? "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>" : "");
		} else response.end(found?.bytes);
	}

	#list(url: URL, response: ServerResponse): void {
		const prefix = url.searchParams.get("prefix") ?? "";
		const after = url.searchParams.get("continuation-token") ?? "";
		const names = [...this.objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
		const page = names.slice(0, PAGE_NAMES);
		const contents = page.map((name) => {
			const { bytes, modifiedMs } = this.objects.get(name) as StoredObject;
			const modified = new Date(modifiedMs).toISOString();
			return `<Contents><Key>${name}</Key><LastModified>${modified}</LastModified><Size>${bytes.length}</Size></Contents>`;
		});
		const next =
			names.length > page.length ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
		const isCut = names.length > page.length;
		response.setHeader("content-type", "application/xml");
		response.end(
			`<?xml version="1.0"?><ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
		);
	}
}

function problem(response: ServerResponse, status: number, code: string): void {
	response.writeHead(status, { "content-type": "application/xml" });
	response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

const AUTHORIZATION =
	/^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** "Signature Calculations for the Authorization Header", Amazon S3 API Reference (Signature Version 4). */
function isSigned(request: IncomingMessage, body: Buffer): boolean {
	const [, key, day, region, signedHeaders, signature] =
		AUTHORIZATION.exec(request.headers.authorization ?? "") ?? [];
	const contentHash = request.headers["x-amz-content-sha256"];
	if (key !== S3_CREDENTIALS.accessKeyId || signature === undefined || signedHeaders === undefined)
		return false;
	if (contentHash !== createHash("sha256").update(body).digest("hex")) return false;
	const [path = "", query = ""] = (request.url ?? "").split("?");
	const canonical = [
		request.method,
		path,
		query.split("&").sort().join("&"),
		...signedHeaders.split(";").map((name) => `${name}:${String(request.headers[name] ?? "").trim()}`),
		"",
		signedHeaders,
		contentHash,
	].join("\n");
	const scope = `${day}/${region}/s3/aws4_request`;
	const hash = createHash("sha256").update(canonical).digest("hex");
	const text = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, hash].join("\n");
	const steps = [day ?? "", region ?? "", "s3", "aws4_request", text];
	const expected = steps.reduce<Buffer>(
		(secret, step) => createHmac("sha256", secret).update(step).digest(),
		Buffer.from(`AWS4${S3_CREDENTIALS.secretAccessKey}`),
	);
	return timingSafeEqual(expected, Buffer.from(signature, "hex"));
}
