// One server on SQLite with few registered devices, another with ten times as many: polls and reports a second, and the
// memory of the process, each device having been heard of. Called by bench-server.ts.
import { type Bench, type Site, say } from "./bench.js";
import { compare, median, ratesOf, requestsPerSecond } from "./rounds.js";
import type { Row } from "./table.js";

export const CONNECTIONS = 32;
/** How long the poll of every device may take. */
const PASS_TIMEOUT_MS = 120_000;

/** What one server does a second. */
export async function measureRequests(bench: Bench, { server, fleet }: Site): Promise<Row[]> {
	say("polls and reports …");
	const common = { urls: [server.url], fleet: { ...fleet, first: 0 } };
	const samples = await bench.rounds({
		connectionCount: CONNECTIONS,
		contenders: {
			polls: { kind: "polls", ...common },
			offers: { kind: "offers", ...common },
			reports: { kind: "reports", ...common },
		},
	});
	const rateOf = (name: string) => median(ratesOf(samples, name, requestsPerSecond));
	return [
		{ label: "polls/s of devices that are up to date", value: rateOf("polls") },
		{ label: "polls/s that are offered a release", value: rateOf("offers") },
		{ label: "reports/s of downloads under way", value: rateOf("reports") },
	];
}

export async function measureFleets(bench: Bench, small: Site, large: Site): Promise<Row[]> {
	// As many requests of each: a process grows with those as well, at first, whoever sends them.
	await pollAll(bench, small, large.fleet.count);
	const pollCount = await pollAll(bench, large, large.fleet.count);
	say(`polls, ${small.fleet.count} and ${large.fleet.count} devices in turn …`);
	const sites = { small, large };
	const memory: Record<string, number[]> = { small: [], large: [] };
	const samples = await bench.rounds({
		connectionCount: CONNECTIONS,
		contenders: {
			large: { kind: "polls", urls: [large.server.url], fleet: { ...large.fleet, first: 0 } },
			small: { kind: "polls", urls: [small.server.url], fleet: { ...small.fleet, first: 0 } },
		},
		onTurn: async (name) => {
			memory[name]?.push(await sites[name as keyof typeof sites].server.residentBytes());
		},
	});
	const [value, against] = [megabytes(memory.large), megabytes(memory.small)];
	const what = `${large.fleet.count} devices against ${small.fleet.count}`;
	return [
		{
			label: `polls/s, ${what}`,
			...compare(samples, ["large", "small"], requestsPerSecond),
			goal: { atLeast: 0.8 },
		},
		{
			label: `memory of the process, MB, ${what}${pollCount < large.fleet.count ? ` (${pollCount} polls)` : ""}`,
			value,
			against,
			ratio: value / against,
			goal: { atMost: 1.2 },
		},
	];
}

function megabytes(bytes: readonly number[] = []): number {
	return median(bytes) / 1_000_000;
}

/** What a server keeps of each device in memory, if anything, it keeps from here on. Returns how many polls it answered. */
async function pollAll(bench: Bench, { server, fleet }: Site, requestMax: number): Promise<number> {
	say(`${fleet.count} devices poll, ${requestMax} times all together …`);
	const result = await bench.generator.run({
		...bench.common,
		kind: "polls",
		urls: [server.url],
		fleet: { ...fleet, first: 0 },
		connectionCount: CONNECTIONS,
		durationMs: PASS_TIMEOUT_MS,
		requestMax,
	});
	if (result.requestCount < requestMax)
		say(
			`only ${result.requestCount} of ${requestMax} polls in ${PASS_TIMEOUT_MS / 1000} s: ` +
				"run it again when the machine has nothing else to do, or on a quicker disk (--folder)",
		);
	return result.requestCount;
}
