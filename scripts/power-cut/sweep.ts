// Carries a plan of power cuts out on simulated devices, a few at a time, and judges each run by its flash file, its
// serial log and the server's records. Called by power-cut.ts. Every verdict names the id that replays it.
import { readFile } from "node:fs/promises";
import { readBootRecords, readSlotImage } from "../../cli/image/boot-records.js";
import { inspectImage } from "../../cli/release/sign-release.js";
import type { SimulatorResult } from "../../cli/simulator/simulator-process.js";
import { countWire } from "../../cli/simulator/wire-count.js";
import { type Cut, type CutRun, generator, type PathLength } from "./plan.js";
import { STORIES, type Story } from "./stories.js";
import type { Device, World } from "./world.js";

/** brick: nothing valid boots, or something unverified booted. stuck: it did not come to its end, or did not say so. */
export interface Verdict {
	readonly run: CutRun;
	readonly fault?: { readonly kind: "brick" | "stuck"; readonly reason: string; readonly log: string };
	/** Chunks that the device read whole more than once, for each cut that was made, rounded up. */
	readonly refetchedChunks: number;
	/** Cuts that were really made: a second one may lie behind the end. */
	readonly cutCount: number;
}

const LINE_TIMEOUT_MS = 90_000;
const TOLD_TIMEOUT_MS = 20_000;
const TOLD_STEP_MS = 50;
/** The end of the sweep is what takes long: a run is mostly waiting for its own processes. */
const PARALLEL_RUNS = 3;

/** Each story once, uncut: counts its flash operations, as far as they are cut. Throws if one does not end well. */
export async function measureBaselines(world: World): Promise<PathLength[]> {
	const baselines: PathLength[] = [];
	for (const story of STORIES) {
		const { result, fault } = await play(world, story, [], 1);
		if (fault || !result.stats)
			throw new Error(
				`the uncut ${story.name} did not end well: ${fault?.reason}\n${result.stderr}\n${result.log}`,
			);
		const { operations = 0 } = result.stats.flash;
		baselines.push({
			path: story.name,
			operationCount: Math.min(operations, story.lastOperation ?? operations),
		});
	}
	return baselines;
}

export interface SweepOptions {
	readonly world: World;
	readonly runs: readonly CutRun[];
	readonly seed: number;
	readonly onVerdict: (verdict: Verdict) => void;
}

export async function sweep(options: SweepOptions): Promise<void> {
	const queue = options.runs[Symbol.iterator]();
	const worker = async () => {
		for (const run of queue) options.onVerdict(await judge(options, run));
	};
	await Promise.all(Array.from({ length: PARALLEL_RUNS }, worker));
}

async function judge({ world, seed }: SweepOptions, run: CutRun): Promise<Verdict> {
	const story = STORIES.find(({ name }) => name === run.path);
	if (!story) throw new RangeError(`there is no path ${run.path}`);
	const { result, fault, refetchedChunks } = await play(world, story, run.cuts, seedOf(run, seed));
	const cutCount = result.stats?.resets.filter(({ reason }) => reason === "POWERON").length ?? 0;
	return {
		run,
		...(fault ? { fault: { ...fault, log: result.log } } : {}),
		refetchedChunks: Math.ceil(refetchedChunks / Math.max(1, cutCount)),
		cutCount,
	};
}

/** Torn bytes differ from run to run, and are the same again in a replay. */
function seedOf(run: CutRun, seed: number): number {
	let mixed = seed;
	for (const character of run.id) mixed = Math.imul(mixed ^ (character.codePointAt(0) ?? 0), 0x01000193);
	return 1 + Math.floor(generator(mixed)() * 0x7fff_fffe);
}

interface Played {
	readonly result: SimulatorResult;
	readonly fault: { readonly kind: "brick" | "stuck"; readonly reason: string } | undefined;
	/** Over the whole run. */
	readonly refetchedChunks: number;
}

async function play(world: World, story: Story, cuts: readonly Cut[], seed: number): Promise<Played> {
	const device = await world.device(story);
	try {
		const simulator = await world.start(device, story, { cuts, seed });
		const wait = (text: string) => simulator.waitForLine(text, { timeoutMs: LINE_TIMEOUT_MS });
		const told = () => waitUntilTold(world, story, device);
		const waited = await Promise.race([
			wait(story.tells).then(told),
			wait(`idle, running ${story.endsOn} in ${story.endsIn}`).then(told),
		]).catch((error: Error) => error.message.split("\n")[0] ?? "no end");
		const result = await simulator.stop();
		const refetchedChunks = result.stats ? countWire(await readFile(device.capturePath)).refetchedChunks : 0;
		const brick = await findBrick(world, story, device, result);
		if (brick) return { result, refetchedChunks, fault: { kind: "brick", reason: brick } };
		const fault = waited === undefined ? undefined : ({ kind: "stuck", reason: waited } as const);
		return { result, refetchedChunks, fault };
	} finally {
		await world.remove(device);
	}
}

/** Undefined when the server's records tell the end of the story; else what is missing. */
async function waitUntilTold(world: World, story: Story, { deviceId }: Device): Promise<string | undefined> {
	for (let waitedMs = 0; waitedMs < TOLD_TIMEOUT_MS; waitedMs += TOLD_STEP_MS) {
		const events = await world.client.events({ log: "fota", deviceId, after: 0, limit: 500 });
		const { version } = await world.client.status(deviceId);
		if (version === story.endsOn && story.isTold(events)) return undefined;
		await new Promise((resolve) => setTimeout(resolve, TOLD_STEP_MS));
	}
	return "the server was not told how it ended";
}

/** Why this device is a brick or ran something unverified; undefined when all is well. */
async function findBrick(
	world: World,
	story: Story,
	device: Device,
	result: SimulatorResult,
): Promise<string | undefined> {
	if (result.stats?.end === "no-image" || result.stats?.end === "boot-loop")
		return `it ended in ${result.stats.end}`;
	for (const [, version = ""] of result.log.matchAll(/fota: xs-fota (\S+) in /g)) {
		if (!story.mayRun.includes(version)) return `it booted ${version}`;
	}
	const flash = await readFile(device.flashPath);
	const { active, records } = readBootRecords(flash);
	const image = readSlotImage(flash, active);
	if (!image) return `slot ${active} holds no image`;
	const { version, hash } = inspectImage(image);
	if (world.hashes.get(version) !== hash) return `slot ${active} holds something that was never built`;
	if (version !== story.endsOn) return undefined;
	const state = records.find(({ slot }) => slot === active)?.state;
	if (state !== "valid") return `slot ${active} is ${state ?? "without a record"} at the end`;
	return undefined;
}
