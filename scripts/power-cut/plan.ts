// Which power cuts a sweep makes: every operation at every moment, then random pairs. Pure; each has an id that replays it.
// Called by the sweep. It must not know how a run is made.

export const MOMENTS = ["before", "half", "after"] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Cut {
	/** Number of the flash operation, counted from 1 at power-on. */
	readonly operation: number;
	readonly moment: Moment;
}

export interface CutRun {
	/** `PATH:N.moment` or `PATH:N.moment+M.moment`; replayed by this name alone. */
	readonly id: string;
	readonly path: string;
	readonly cuts: readonly Cut[];
}

/** A path is one story that is cut: a complete update, a rollback. `operationCount` was counted in an uncut run. */
export interface PathLength {
	readonly path: string;
	readonly operationCount: number;
}

/** Every operation of every path, before, half-way and after. */
export function everySingleCut(lengths: readonly PathLength[]): CutRun[] {
	return lengths.flatMap(({ path, operationCount }) =>
		Array.from({ length: operationCount * MOMENTS.length }, (_, i) =>
			cutRun(path, [
				{ operation: Math.floor(i / MOMENTS.length) + 1, moment: MOMENTS[i % MOMENTS.length] ?? "half" },
			]),
		),
	);
}

/** `count` runs with two cuts in a row, drawn from `seed`; the second counts on from power-on, as the first does. */
export function randomPairs(options: {
	readonly lengths: readonly PathLength[];
	readonly count: number;
	readonly seed: number;
}): CutRun[] {
	const random = generator(options.seed);
	return Array.from({ length: options.count }, (_, i) => {
		const length = options.lengths[i % options.lengths.length];
		if (length === undefined) throw new RangeError("no path to cut");
		const first = 1 + Math.floor(random() * length.operationCount);
		// Half of the second cuts fall close behind the first, into the recovery; the rest anywhere behind it.
		const reach = random() < 0.5 ? 24 : length.operationCount;
		const second = first + 1 + Math.floor(random() * reach);
		return cutRun(length.path, [
			{ operation: first, moment: pick(random) },
			{ operation: second, moment: pick(random) },
		]);
	});
}

function pick(random: () => number): Moment {
	return MOMENTS[Math.floor(random() * MOMENTS.length)] ?? "half";
}

function cutRun(path: string, cuts: readonly Cut[]): CutRun {
	return { id: `${path}:${cuts.map((cut) => `${cut.operation}.${cut.moment}`).join("+")}`, path, cuts };
}

/** The run that an id names; throws RangeError for anything else. */
export function parseCutRun(id: string): CutRun {
	const [path, cuts] = id.split(":");
	const parts = cuts?.split("+").map((part) => /^([1-9][0-9]{0,6})\.(before|half|after)$/.exec(part)) ?? [];
	if (!path || parts.length < 1 || parts.length > 2 || parts.some((part) => part === null)) {
		throw new RangeError(`"${id}" is not an id such as update:37.half or rollback:5.before+9.half`);
	}
	return cutRun(
		path,
		parts.map((part) => ({ operation: Number(part?.[1]), moment: part?.[2] as Moment })),
	);
}

/** mulberry32: small, seeded, the same everywhere; nothing here needs cryptographic chance. */
export function generator(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
