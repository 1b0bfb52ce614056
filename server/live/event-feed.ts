// The newest events in memory, for all streams of this process: the database is asked once a second while there are
// streams, whatever their number, and not at all without. Made by app.ts, read by routes/event-stream-route.ts. A reader
// brings its own cursor, so nothing is kept for one that is slow.
import type { FastifyBaseLogger } from "fastify";
import { listEventsAfter, newestEventId, type ToldEvent, toldEvent } from "../stores/event-feed.js";
import type { Records } from "../stores/tables.js";

export interface EventFeedOptions {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
	/** In milliseconds. */
	readonly pollMs: number;
}

export interface EventReader {
	/** Where the reader begins that names no event: behind the newest one. */
	start(): Promise<number>;
	/**
	 * The events behind `after`, at most 500, in rising order of id. Waits for one until `signal` is aborted, then
	 * answers with none.
	 */
	next(after: number, signal: AbortSignal): Promise<readonly ToldEvent[]>;
	/** Idempotent. */
	close(): void;
}

export interface EventFeed {
	open(): EventReader;
	/** For metrics. */
	readonly readerCount: () => number;
}

const PAGE_MAX = 500;
const RECENT_MAX = 2000;

export function createEventFeed({ db, log, pollMs }: EventFeedOptions): EventFeed {
	const readers = new Set<EventReader>();
	const waiting = new Set<() => void>();
	/** Rising ids: all there are behind `recentFrom`. */
	let recent: ToldEvent[] = [];
	let recentFrom: number | undefined;
	let timer: NodeJS.Timeout | undefined;
	let polled: Promise<void> | undefined;

	const poll = async () => {
		const after = recent.at(-1)?.id ?? recentFrom;
		// The first reader is here: what lies before is paged from the database by those who ask for it.
		if (after === undefined) recentFrom = await newestEventId(db);
		else await take(after);
	};
	const take = async (after: number) => {
		const rows = await listEventsAfter(db, after, PAGE_MAX);
		if (rows.length === 0) return;
		recent.push(...rows.map(toldEvent));
		const left = recent.splice(0, Math.max(0, recent.length - RECENT_MAX));
		recentFrom = left.at(-1)?.id ?? recentFrom;
		for (const wake of [...waiting]) wake();
		if (rows.length === PAGE_MAX && timer !== undefined) await take(rows.at(-1)?.id ?? after);
	};
	const pollOnce = () => {
		polled ??= poll()
			// The database is away: readers wait, and miss nothing once it is back.
			.catch((error) => log.debug({ err: error }, "events not read"))
			.finally(() => {
				polled = undefined;
			});
		return polled;
	};
	const read = async (after: number): Promise<readonly ToldEvent[]> => {
		if (recentFrom === undefined) return [];
		if (after < recentFrom) return (await listEventsAfter(db, after, PAGE_MAX)).map(toldEvent);
		return recent.filter(({ id }) => id > after).slice(0, PAGE_MAX);
	};
	const woken = (signal: AbortSignal) =>
		new Promise<void>((resolve) => {
			const wake = () => {
				waiting.delete(wake);
				signal.removeEventListener("abort", wake);
				resolve();
			};
			waiting.add(wake);
			signal.addEventListener("abort", wake);
			if (signal.aborted) wake();
		});
	const stop = () => {
		clearInterval(timer);
		timer = undefined;
		recent = [];
		recentFrom = undefined;
	};
	return {
		readerCount: () => readers.size,
		open() {
			const reader: EventReader = {
				async start() {
					await pollOnce();
					return recent.at(-1)?.id ?? recentFrom ?? newestEventId(db);
				},
				async next(after, signal) {
					const found = await read(after);
					if (found.length > 0 || signal.aborted) return found;
					await woken(signal);
					return signal.aborted ? [] : read(after);
				},
				close() {
					if (readers.delete(reader) && readers.size === 0) stop();
				},
			};
			readers.add(reader);
			timer ??= setInterval(() => void pollOnce(), pollMs).unref();
			return reader;
		},
	};
}
