// The newest events in memory, for all streams of this process: the database is asked once a second while there are
// streams, whatever their number, and not at all without. Made by app.ts, read by routes/event-stream-route.ts. A reader
// brings its own cursor, so nothing is kept for one that is slow.
import type { FastifyBaseLogger } from "fastify";
import { listEventsAfter, newestEventId } from "../stores/event-store.js";
import type { Records } from "../stores/tables.js";
import { type ToldEvent, toldEvent } from "../stores/told-event.js";

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
	const wakeAll = () => {
		for (const wake of [...waiting]) wake();
	};
	let recent = createRecentEvents({ db, log, wakeAll });
	let timer: NodeJS.Timeout | undefined;
	const stop = () => {
		clearInterval(timer);
		timer = undefined;
		// Replaced as a whole: a look at the database that is under way ends in what nobody reads any more.
		recent.end();
		recent = createRecentEvents({ db, log, wakeAll });
	};
	return {
		readerCount: () => readers.size,
		open() {
			const reader: EventReader = {
				async start() {
					await recent.look();
					return recent.newestId() ?? newestEventId(db);
				},
				async next(after, signal) {
					const known = recent.read(after);
					// No turn between looking and waiting, or what comes in it would wake nobody.
					const found = known instanceof Promise ? await known : known;
					if (found.length > 0 || signal.aborted) return found;
					await woken(waiting, signal);
					return signal.aborted ? [] : recent.read(after);
				},
				close() {
					if (readers.delete(reader) && readers.size === 0) stop();
				},
			};
			readers.add(reader);
			timer ??= setInterval(() => void recent.look(), pollMs).unref();
			return reader;
		},
	};
}

function woken(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const wake = () => {
			waiting.delete(wake);
			signal.removeEventListener("abort", wake);
			resolve();
		};
		waiting.add(wake);
		signal.addEventListener("abort", wake);
		if (signal.aborted) wake();
	});
}

interface RecentEventsOptions extends Omit<EventFeedOptions, "pollMs"> {
	/** Called when there is more to read. */
	readonly wakeAll: () => void;
}

/** The newest events from the first reader's coming to the last one's leaving. */
function createRecentEvents({ db, log, wakeAll }: RecentEventsOptions) {
	/** Rising ids: all there are behind `from`. */
	const events: ToldEvent[] = [];
	/** Undefined before the first look: what lies before is paged from the database by those who ask for it. */
	let from: number | undefined;
	let looking: Promise<void> | undefined;
	let isEnded = false;
	const newestId = () => events.at(-1)?.id ?? from;
	const begin = async () => {
		from = await newestEventId(db);
		// Readers that go on behind an id of theirs have waited for this.
		wakeAll();
	};
	const take = async (after: number): Promise<void> => {
		const rows = await listEventsAfter(db, after, PAGE_MAX);
		if (rows.length === 0) return;
		events.push(...rows.map(toldEvent));
		const left = events.splice(0, Math.max(0, events.length - RECENT_MAX));
		from = left.at(-1)?.id ?? from;
		wakeAll();
		if (rows.length === PAGE_MAX && !isEnded) await take(rows.at(-1)?.id ?? after);
	};
	const poll = () => {
		const after = newestId();
		return after === undefined ? begin() : take(after);
	};
	return {
		newestId,
		/** Reads what is new; one look at a time. Never throws. */
		look: (): Promise<void> => {
			looking ??= poll()
				// The database is away: readers wait, and miss nothing once it is back.
				.catch((error) => log.debug({ err: error }, "events not read"))
				.finally(() => {
					looking = undefined;
				});
			return looking;
		},
		/** At once where they are in memory. */
		read(after: number): readonly ToldEvent[] | Promise<readonly ToldEvent[]> {
			if (from === undefined) return [];
			if (after < from) return listEventsAfter(db, after, PAGE_MAX).then((rows) => rows.map(toldEvent));
			return events.filter(({ id }) => id > after).slice(0, PAGE_MAX);
		},
		/** Reads no further pages. */
		end(): void {
			isEnded = true;
		},
	};
}
