// Work that a server does by itself, again and again: started and ended with it. The clock that calls is a port, so that
// tests can let the time come. Used by app.ts.

/** Calls `task` every `everyMs`, until the function that is returned is called. */
export type Every = (everyMs: number, task: () => Promise<void>) => () => void;

export interface RegularTask {
	readonly everyMs: number;
	/** Must not throw. */
	readonly run: () => Promise<void>;
}

export interface RegularWork {
	/** Begins nothing new; what runs has ended afterwards. */
	stop(): Promise<void>;
}

export const systemEvery: Every = (everyMs, task) => {
	const timer = setInterval(() => void task(), everyMs).unref();
	return () => clearInterval(timer);
};

/** A task that still runs when its time comes again is left to run. */
export function startRegularWork(every: Every, tasks: readonly RegularTask[]): RegularWork {
	const running = new Map<RegularTask, Promise<void>>();
	const begin = (task: RegularTask): Promise<void> => {
		const known = running.get(task);
		if (known !== undefined) return known;
		const run = task.run().finally(() => running.delete(task));
		running.set(task, run);
		return run;
	};
	const stops = tasks.map((task) => every(task.everyMs, () => begin(task)));
	return {
		async stop() {
			for (const stop of stops) stop();
			await Promise.all(running.values());
		},
	};
}
