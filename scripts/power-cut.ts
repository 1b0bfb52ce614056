// npm run power-cut: cuts the power of simulated devices at every flash operation of an update, a rollback and a failed
// trial, then twice in a row at random, and shows that each comes back (docs/simulator.md). Figures on standard output with
// --json, progress on standard error. Exit 0 only with no brick and nothing stuck.
import { Command, InvalidArgumentError } from "commander";
import { type CutRun, everySingleCut, type PathLength, parseCutRun, randomPairs } from "./power-cut/plan.js";
import { measureBaselines, sweep, type Verdict } from "./power-cut/sweep.js";
import { World } from "./power-cut/world.js";

interface Options {
	readonly cuts?: number;
	readonly pairs?: number;
	readonly seed: number;
	readonly replay?: string;
	readonly json?: boolean;
}

const FAULTS_SHOWN = 10;
const LOG_LINES_SHOWN = 60;

function wholeNumber(text: string): number {
	const value = Number(text);
	if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("a whole number is wanted");
	return value;
}

const options = new Command("power-cut")
	.description("Cut the power of simulated devices at every flash operation and see that each comes back.")
	.option(
		"--cuts <n>",
		"how many power cuts: the short paths whole, then within the operations of an update, behind and before them, and in pairs (default: all)",
		wholeNumber,
	)
	.option("--pairs <n>", "runs with two cuts in a row (default: 300, or what --cuts leaves)", wholeNumber)
	.option("--seed <s>", "for the torn bytes and the pairs", wholeNumber, 1)
	.option("--replay <id>", "one run by its id, with its serial log, e.g. update:37.half")
	.option("--json", "figures as JSON on standard output")
	.parse()
	.opts<Options>();

interface Totals {
	cuts: number;
	bricks: number;
	stuck: number;
	refetchedChunksMax: number;
	readonly faults: Verdict[];
}

process.exitCode = await main();

async function main(): Promise<number> {
	const world = await World.open();
	try {
		const baselines = await measureBaselines(world);
		for (const { path, operationCount } of baselines)
			say(`${path}: ${operationCount} flash operations to cut`);
		const runs = planRuns(baselines);
		const totals: Totals = { cuts: 0, bricks: 0, stuck: 0, refetchedChunksMax: 0, faults: [] };
		let doneCount = 0;
		const onVerdict = (verdict: Verdict) => {
			add(totals, verdict);
			if (++doneCount % 50 === 0 || doneCount === runs.length) {
				say(
					`${doneCount} of ${runs.length} runs, ${totals.cuts} power cuts, ${totals.bricks} bricks, ${totals.stuck} stuck`,
				);
			}
		};
		await sweep({ world, runs, seed: options.seed, onVerdict });
		return conclude(totals);
	} finally {
		await world.close();
	}
}

function planRuns(lengths: readonly PathLength[]): CutRun[] {
	if (options.replay !== undefined) return [parseCutRun(options.replay)];
	const singles = everySingleCut(lengths);
	const { cuts = singles.length, seed } = options;
	const beyond = Math.max(0, Math.ceil((cuts - singles.length) / 2));
	const { pairs = options.cuts === undefined ? 300 : beyond } = options;
	return [...mostTelling(singles, { count: cuts, lengths }), ...randomPairs({ lengths, count: pairs, seed })];
}

/**
 * The short paths whole: each of their operations is another one, those of an update are nearly all pages of the image.
 * Of a path, first within its operations, where most is found; before one is all but the same as behind the one before.
 */
function mostTelling(
	singles: readonly CutRun[],
	wanted: { readonly count: number; readonly lengths: readonly PathLength[] },
): CutRun[] {
	const shortestFirst = [...wanted.lengths].sort((a, b) => a.operationCount - b.operationCount);
	const chosen: CutRun[] = [];
	for (const { path } of shortestFirst)
		for (const moment of ["half", "after", "before"]) {
			const runs = singles.filter((run) => run.path === path && run.cuts[0]?.moment === moment);
			chosen.push(...spread(runs, Math.min(runs.length, wanted.count - chosen.length)));
		}
	return chosen;
}

/** `count` of them, evenly over all. */
function spread(runs: readonly CutRun[], count: number): CutRun[] {
	return runs.filter(
		(_, i) => Math.floor(((i + 1) * count) / runs.length) > Math.floor((i * count) / runs.length),
	);
}

function add(totals: Totals, verdict: Verdict): void {
	totals.cuts += verdict.cutCount;
	totals.refetchedChunksMax = Math.max(totals.refetchedChunksMax, verdict.refetchedChunks);
	if (verdict.refetchedChunks > 1)
		say(`${verdict.run.id}: ${verdict.refetchedChunks} chunks fetched again for a cut`);
	if (!verdict.fault) return;
	if (verdict.fault.kind === "brick") totals.bricks++;
	else totals.stuck++;
	totals.faults.push(verdict);
	say(`${verdict.fault.kind}: ${verdict.run.id} (seed ${options.seed}): ${verdict.fault.reason}`);
}

function conclude(totals: Totals): number {
	for (const { run, fault } of totals.faults.slice(0, FAULTS_SHOWN)) {
		say(`\n--- ${run.id}: ${fault?.reason}\n${fault?.log.split("\n").slice(-LOG_LINES_SHOWN).join("\n")}`);
	}
	const { cuts, bricks, stuck, refetchedChunksMax } = totals;
	if (options.json)
		process.stdout.write(
			`${JSON.stringify({ cuts, bricks, stuck, refetchedChunksMax, seed: options.seed })}\n`,
		);
	const isGood = bricks === 0 && stuck === 0;
	say(
		`survived ${cuts} power cuts: ${bricks} bricks, ${stuck} stuck, at most ${refetchedChunksMax} chunk a cut fetched again, seed ${options.seed}`,
	);
	if (!isGood) say("replay one with: npm run power-cut -- --seed SEED --replay ID");
	return isGood ? 0 : 1;
}

function say(text: string): void {
	process.stderr.write(`${text}\n`);
}
