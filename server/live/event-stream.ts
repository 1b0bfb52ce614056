// The body of one stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Made by
// routes/event-stream-route.ts. It must not know requests. It is read at the pace of its reader: who reads too slowly is
// cut, and goes on later where it was (Last-Event-ID).
import { Readable } from "node:stream";
import type { ToldEvent } from "../stores/told-event.js";
import { turn } from "../turn.js";
import type { EventReader } from "./event-feed.js";

export interface EventStreamOptions {
	readonly reader: EventReader;
	/** The first event is the one behind this id. */
	readonly after: number;
	readonly isWanted: (event: ToldEvent) => boolean;
	/** Aborted when the stream is to end: the server stops, the reader may not read any more. */
	readonly signal: AbortSignal;
	/** Silence after which a comment is sent, in milliseconds. */
	readonly keepAliveMs: number;
	/** How long a reader may take nothing, in milliseconds. */
	readonly stallMs: number;
}

/** How long a reader waits before it connects again, in milliseconds. */
const RETRY_MS = 3000;

export function createEventStream(options: EventStreamOptions): Readable {
	const pace = { sinceMs: undefined as number | undefined };
	const gone = new AbortController();
	const signal = AbortSignal.any([options.signal, gone.signal]);
	const stream = Readable.from(blocks({ ...options, signal }, pace), { highWaterMark: 1 });
	const endBlocks = stream._destroy.bind(stream);
	// It waits for the block under way, which without a word would wait for the next event or keep-alive.
	stream._destroy = (error, callback) => {
		gone.abort();
		endBlocks(error, callback);
	};
	const watch = setInterval(() => {
		const isStalled = pace.sinceMs !== undefined && performance.now() - pace.sinceMs > options.stallMs;
		if (isStalled) stream.destroy();
	}, options.stallMs / 4).unref();
	stream.once("close", () => {
		clearInterval(watch);
		options.reader.close();
	});
	return stream;
}

/** `pace.sinceMs`: since when a block waits for the reader. */
async function* blocks(
	options: EventStreamOptions,
	pace: { sinceMs: number | undefined },
): AsyncGenerator<string> {
	const { reader, signal, keepAliveMs } = options;
	let cursor = options.after;
	const passOn = function* (text: string) {
		pace.sinceMs = performance.now();
		yield text;
		pace.sinceMs = undefined;
	};
	yield* passOn(`retry: ${RETRY_MS}\n\n`);
	let silentSinceMs = performance.now();
	while (!signal.aborted) {
		const restMs = Math.max(0, silentSinceMs + keepAliveMs - performance.now());
		const events = await nextWithin(reader, { cursor, restMs, signal });
		cursor = events.at(-1)?.id ?? cursor;
		// A reader that wants few of a long log, or reads fast, would be all that is served until it has caught up.
		if (events.length > 0) await turn();
		const text = events.filter(options.isWanted).map(blockOf).join("");
		const isSilent = text === "" && performance.now() - silentSinceMs >= keepAliveMs;
		if (text === "" && !isSilent) continue;
		// The id alone is no event, but moves the reader's Last-Event-ID past what it did not want.
		yield* passOn(isSilent ? `: keep-alive\nid: ${cursor}\n\n` : text);
		silentSinceMs = performance.now();
	}
}

async function nextWithin(
	reader: EventReader,
	{
		cursor,
		restMs,
		signal,
	}: { readonly cursor: number; readonly restMs: number; readonly signal: AbortSignal },
): Promise<readonly ToldEvent[]> {
	const wait = new AbortController();
	const end = () => wait.abort();
	const timer = setTimeout(end, restMs);
	signal.addEventListener("abort", end);
	if (signal.aborted) end();
	try {
		return await reader.next(cursor, wait.signal);
	} finally {
		clearTimeout(timer);
		signal.removeEventListener("abort", end);
	}
}

/** Each report of a download that brought chunks is a chunk_received in the log: the device's progress. */
function blockOf(event: ToldEvent): string {
	const isProgress = event.type === "chunk_received";
	const data = isProgress ? { ...event, progress: progressOf(event.details) } : event;
	return `id: ${event.id}\nevent: ${isProgress ? "progress" : "log"}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Per cent; null when the report does not say. */
function progressOf({ chunk_received: received, total_chunks: count }: ToldEvent["details"]): number | null {
	if (typeof received !== "number" || typeof count !== "number" || count === 0) return null;
	return Math.min(100, Math.floor((100 * received) / count));
}
