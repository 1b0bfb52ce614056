// Finds HTTP/1.1 requests and their answers in captured connections: one request at a time on each, bodies with
// Content-Length, as the firmware speaks. Called by wire-count and by tests. It must not know what the requests are for.
import type { CapturedConnection, CapturedPiece } from "./wire-capture.js";

const HEAD_END = "\r\n\r\n";

export interface HttpAnswer {
	readonly status: number;
	/** Names in lower case. */
	readonly headers: ReadonlyMap<string, string>;
	/** What the application read of it; shorter than Content-Length if it came no further. A view, not a copy. */
	readonly body: Uint8Array;
}

export interface HttpExchange {
	/** Number of the record in which the request begins: puts exchanges of several connections in order. */
	readonly order: number;
	readonly method: string;
	/** Path and query. */
	readonly target: string;
	/** Undefined when not even its whole head was read. */
	readonly answer: HttpAnswer | undefined;
}

/** All requests whose head was written whole, in the order they were begun. Throws RangeError for what is no HTTP. */
export function findExchanges(connections: readonly CapturedConnection[]): HttpExchange[] {
	return connections.flatMap(exchangesOf).sort((a, b) => a.order - b.order);
}

function exchangesOf({ number, pieces }: CapturedConnection): HttpExchange[] {
	const sent = pieces.filter(({ direction }) => direction === "sent");
	const read = pieces.filter(({ direction }) => direction === "read");
	try {
		const answers = readMessages(read).map(toAnswer);
		const finals = answers.filter(({ status }) => status >= 200);
		return readMessages(sent).map((message, i) => ({ ...toRequest(message), answer: finals[i] }));
	} catch (cause) {
		if (!(cause instanceof RangeError)) throw cause;
		throw new RangeError(`connection ${number}: ${cause.message}`, { cause });
	}
}

interface Message {
	readonly order: number;
	readonly firstLine: string;
	readonly headers: ReadonlyMap<string, string>;
	readonly body: Uint8Array;
}

/** One after the other; the last body may be cut short, a last head that is not whole is left out. */
function readMessages(pieces: readonly CapturedPiece[]): Message[] {
	const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
	const messages: Message[] = [];
	let at = 0;
	for (;;) {
		const end = bytes.indexOf(HEAD_END, at, "latin1");
		if (end < 0) return messages;
		const [firstLine = "", ...lines] = bytes.toString("latin1", at, end).split("\r\n");
		const headers = new Map(lines.map(toHeader));
		const start = end + HEAD_END.length;
		const next = start + bodyLength(headers);
		messages.push({ order: orderAt(pieces, at), firstLine, headers, body: bytes.subarray(start, next) });
		at = next;
	}
}

/** Number of the record that holds the byte at this offset of the joined pieces. */
function orderAt(pieces: readonly CapturedPiece[], offset: number): number {
	let end = 0;
	for (const { order, bytes } of pieces) {
		end += bytes.length;
		if (offset < end) return order;
	}
	throw new RangeError(`there is no byte ${offset}`);
}

function toHeader(line: string): [name: string, value: string] {
	const colon = line.indexOf(":");
	if (colon < 1) throw new RangeError(`"${line}" is no header`);
	return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function bodyLength(headers: ReadonlyMap<string, string>): number {
	if (headers.has("transfer-encoding"))
		throw new RangeError("a body without Content-Length cannot be measured");
	const length = headers.get("content-length") ?? "0";
	if (!/^[0-9]{1,10}$/.test(length)) throw new RangeError(`Content-Length is ${length}`);
	return Number(length);
}

function toRequest({ order, firstLine }: Message): Pick<HttpExchange, "order" | "method" | "target"> {
	const [, method, target] = /^([A-Z]+) (\/\S*) HTTP\/1\.1$/.exec(firstLine) ?? [];
	if (method === undefined || target === undefined) throw new RangeError(`"${firstLine}" is no request`);
	return { order, method, target };
}

function toAnswer({ firstLine, headers, body }: Message): HttpAnswer {
	const [, status] = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: .*)?$/.exec(firstLine) ?? [];
	if (status === undefined) throw new RangeError(`"${firstLine}" is no status line`);
	return { status: Number(status), headers, body };
}
