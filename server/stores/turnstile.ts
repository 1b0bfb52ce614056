// Lets one task at a time through, in order of arrival.

export interface Turnstile {
	pass<T>(task: () => Promise<T>): Promise<T>;
}

export function createTurnstile(): Turnstile {
	let last: Promise<unknown> = Promise.resolve();
	return {
		pass(task) {
			const result = last.then(task, task);
			// The next one waits for the end, good or bad; the error belongs to the caller of this one.
			last = result.catch(() => undefined);
			return result;
		},
	};
}
