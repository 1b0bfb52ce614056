// A PostgreSQL server from the system's package: a fresh cluster in a temporary folder, on a free port of the loopback, ended
// and removed by whoever started it; a running one is never touched. Used by the bench and by the tests' support/postgres.ts.
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { freePort, MissingProgram, type Program, startProgram } from "./program.js";

const DEBIAN_BINARIES = "/usr/lib/postgresql";

export interface Postgres {
	/** Of the database `postgres`; its user may make others. */
	readonly url: string;
	/** As the program says it. */
	readonly version: string;
	/** Takes it away at once, as a crash does: whoever is connected is cut. What was committed stays. Idempotent. */
	pause(): Promise<void>;
	/** Starts it again, on the same port. Nothing happens if it runs. */
	resume(): Promise<void>;
	/** Ends and removes it. Idempotent. */
	stop(): Promise<void>;
}

export interface PostgresOptions {
	/** Its own folder is made below. */
	readonly parentFolder: string;
	/** `name=value` each. Default: as it comes, each commit on the disk. */
	readonly settings?: readonly string[];
}

/** Throws MissingProgram. */
export async function startPostgres({ parentFolder, settings = [] }: PostgresOptions): Promise<Postgres> {
	const binaries = findBinaries();
	const folder = await mkdtemp(join(parentFolder, "fota-postgres-"));
	const owned = { ...ownerOf(folder), cwd: folder };
	const data = join(folder, "data");
	const initial = ["--auth=trust", "--username=fota", "--encoding=UTF8", "--locale=C", "--no-sync", data];
	execFileSync(join(binaries, "initdb"), initial, { ...owned, stdio: "pipe" });
	const command = join(binaries, "postgres");
	const version = execFileSync(command, ["--version"], { encoding: "utf8" });
	const port = await freePort();
	const url = `postgres://fota@127.0.0.1:${port}/postgres`;
	const all = [`unix_socket_directories=${folder}`, ...settings].flatMap((setting) => ["-c", setting]);
	const args = ["-D", data, "-h", "127.0.0.1", "-p", String(port), ...all];
	let program: Program | undefined;
	const pause = async () => {
		const running = program;
		program = undefined;
		// Immediate shutdown.
		await running?.stop("SIGQUIT");
	};
	const resume = async () => {
		program ??= await startProgram({
			...owned,
			name: "PostgreSQL",
			command,
			args,
			isReady: () => answers(url),
		});
	};
	const stop = async () => {
		await pause();
		await rm(folder, { recursive: true, force: true });
	};
	try {
		await resume();
	} catch (error) {
		await stop();
		throw error;
	}
	return { url, version: /[0-9]+(\.[0-9]+)?/.exec(version)?.[0] ?? "", pause, resume, stop };
}

// PostgreSQL refuses to run as root; Debian's package brings a user for it.
function ownerOf(folder: string): { uid?: number; gid?: number } {
	if (process.getuid?.() !== 0) return {};
	const idOf = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
	const owner = { uid: idOf("-u"), gid: idOf("-g") };
	chownSync(folder, owner.uid, owner.gid);
	return owner;
}

function findBinaries(): string {
	const versions = existsSync(DEBIAN_BINARIES) ? readdirSync(DEBIAN_BINARIES) : [];
	const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
	if (newest === undefined)
		throw new MissingProgram("PostgreSQL is missing (Debian: sudo apt-get install postgresql)");
	return join(DEBIAN_BINARIES, newest, "bin");
}

async function answers(url: string): Promise<boolean> {
	const client = new pg.Client({ connectionString: url });
	try {
		await client.connect();
		return true;
	} catch {
		return false;
	} finally {
		await client.end().catch(() => undefined);
	}
}
