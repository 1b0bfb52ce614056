// npm run bench:server: what the server carries, with the load generator on the same machine, as ratios within one run
// (docs/operation.md, "Sizing and scaling out"). Table on standard output, progress on standard error. Exit status 1 when a
// goal is missed, 2 when the run came to no end.
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { Bench, type BenchOptions, type Fleet, OLD_FLEET, type Site, say } from "./bench-server/bench.js";
import { measureDatabases } from "./bench-server/database-phase.js";
import { measureFleets, measureRequests } from "./bench-server/fleet-phase.js";
import { measureImages } from "./bench-server/images-phase.js";
import { isMet, printTable, type Row } from "./bench-server/table.js";

const SMALL = { name: "dev", count: 10_000 };
const LARGE = { name: "dev", count: 100_000 };
const PARTS = ["images", "requests", "fleets", "databases"] as const;
/** Linux' tmpfs: what is written there is never on a disk. */
const TMPFS = 0x0102_1994;

interface Options {
	readonly rounds: number;
	readonly seconds: number;
	readonly folder: string;
	readonly profile?: string;
	readonly only?: (typeof PARTS)[number];
	readonly json?: boolean;
}

function wholeNumber(text: string): number {
	const value = Number(text);
	if (!Number.isSafeInteger(value) || value < 1 || value > 60)
		throw new InvalidArgumentError("a whole number from 1 to 60 is wanted");
	return value;
}

function partOf(text: string): string {
	if (!PARTS.some((part) => part === text))
		throw new InvalidArgumentError(`one of ${PARTS.join(", ")} is wanted`);
	return text;
}

const options = new Command("bench-server")
	.description(
		"Measure what the server carries: image bytes, polls, reports, many devices, databases, processes.",
	)
	.option("--rounds <n>", "turns of each contender", wholeNumber, 5)
	.option("--seconds <s>", "length of a turn", wholeNumber, 2)
	.option("--only <part>", PARTS.join(", "), partOf)
	.option("--folder <dir>", "where the databases lie: the disk that is measured", tmpdir())
	.option("--profile <dir>", "each server writes there what its CPU did (Node's --cpu-prof)")
	.option("--json", "the rows as JSON on standard output")
	.parse()
	.opts<Options>();

process.exitCode = await main();

async function main(): Promise<number> {
	const startMs = Date.now();
	say(`${availableParallelism()} cores (${cpus()[0]?.model}), Node ${process.versions.node}`);
	if ((await statfs(options.folder)).type === TMPFS)
		say(`${options.folder} is in memory: durability costs nothing there. Name a disk with --folder.`);
	const bench = await Bench.open(benchOptions());
	// The programs beside it end with it.
	process.once("SIGINT", () => void bench.close().finally(() => process.exit(130)));
	const rows: Row[] = [];
	try {
		await measure(bench, rows);
		print(rows);
		const missed = rows.filter((row) => isMet(row) === false);
		say(`${Math.round((Date.now() - startMs) / 1000)} s; goals missed: ${missed.length}`);
		return missed.length === 0 ? 0 : 1;
	} catch (error) {
		if (rows.length > 0) print(rows);
		say(`not measured: ${(error as Error).message}`);
		return 2;
	} finally {
		await bench.close();
	}
}

function benchOptions(): BenchOptions {
	const { rounds: roundCount, seconds, folder, profile: profileFolder } = options;
	return { folder, roundCount, durationMs: 1000 * seconds, profileFolder };
}

function print(rows: readonly Row[]): void {
	if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
	else printTable(rows);
}

/** Each part on servers of its own, which nothing happened to before. Puts its rows behind those before. */
async function measure(bench: Bench, rows: Row[]): Promise<void> {
	for (const part of PARTS) {
		if (options.only !== undefined && options.only !== part) continue;
		const site = await siteOf(bench, part, SMALL);
		rows.push(...(await measurePart(bench, part, site)));
		await site.server.stop();
	}
}

async function measurePart(bench: Bench, part: (typeof PARTS)[number], site: Site): Promise<Row[]> {
	if (part === "images") return measureImages(bench, site);
	if (part === "requests") return measureRequests(bench, site);
	if (part === "databases") return measureDatabases(bench, site);
	const large = await siteOf(bench, "large", LARGE);
	const rows = await measureFleets(bench, site, large);
	await large.server.stop();
	return rows;
}

async function siteOf(bench: Bench, name: string, fleet: Fleet): Promise<Site> {
	const { server, durability } = await bench.sqliteServer(name, [fleet, OLD_FLEET]);
	say(`a server with ${fleet.count} devices on SQLite (${durability}) …`);
	return { server, fleet };
}
