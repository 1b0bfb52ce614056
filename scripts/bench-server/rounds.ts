// The same work for several contenders in turn (A B, B A, A B …), so that what else the machine does meets all of them; of
// what they reached the medians, and the median of the ratios within a round. Used by the bench's phases.
import type { Job, LoadGenerator, LoadResult } from "./load.js";

/** By the contender's name, one sample a round. */
export type Samples = ReadonlyMap<string, readonly LoadResult[]>;

export interface RoundsOptions {
	readonly roundCount: number;
	readonly durationMs: number;
	readonly connectionCount: number;
	/** By name. */
	readonly contenders: Readonly<Record<string, Pick<Job, "kind" | "urls" | "fleet">>>;
	readonly common: Pick<Job, "release" | "masterKeyHex">;
	/** After each turn of a contender. */
	readonly onTurn?: (name: string) => Promise<void>;
}

/** Each has a short turn before that counts nowhere. */
export async function runRounds(generator: LoadGenerator, options: RoundsOptions): Promise<Samples> {
	const { contenders, common, connectionCount, durationMs, roundCount } = options;
	const entries = Object.entries(contenders);
	const samples = new Map<string, LoadResult[]>(entries.map(([name]) => [name, []]));
	for (const [, contender] of entries)
		await generator.run({ ...common, ...contender, connectionCount, durationMs: durationMs / 2 });
	for (let round = 0; round < roundCount; round++) {
		for (const [name, contender] of round % 2 === 0 ? entries : entries.toReversed()) {
			samples.get(name)?.push(await generator.run({ ...common, ...contender, connectionCount, durationMs }));
			await options.onTurn?.(name);
		}
	}
	return samples;
}

export function requestsPerSecond({ requestCount, elapsedMs }: LoadResult): number {
	return (1000 * requestCount) / elapsedMs;
}

export function megabytesPerSecond({ imageBytes, elapsedMs }: LoadResult): number {
	return imageBytes / 1000 / elapsedMs;
}

export interface Comparison {
	readonly value: number;
	readonly against: number;
	readonly ratio: number;
}

/** Of `name` against `other`. */
export function compare(
	samples: Samples,
	[name, other]: readonly [name: string, other: string],
	rateOf: (result: LoadResult) => number,
): Comparison {
	const values = ratesOf(samples, name, rateOf);
	const others = ratesOf(samples, other, rateOf);
	const ratio = median(values.map((value, round) => value / (others[round] ?? Number.NaN)));
	return { value: median(values), against: median(others), ratio };
}

export function ratesOf(samples: Samples, name: string, rateOf: (result: LoadResult) => number): number[] {
	return (samples.get(name) ?? []).map(rateOf);
}

export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = Math.floor(sorted.length / 2);
	const [low = Number.NaN, high = Number.NaN] = sorted.slice(Math.max(0, middle - 1), middle + 1);
	return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : (low + high) / 2;
}
