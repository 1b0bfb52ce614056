// A turn of the event loop. SQLite answers without one: work that goes from one query to the next would be all that the
// process does until it ends, and everybody else would wait. Used between the steps of work on many rows.

/** Resolves behind what waits in sockets and timers by now. */
export function turn(): Promise<void> {
	return new Promise((resolve) => void setImmediate(resolve));
}
