// A PostgreSQL server of the tests' own, from the system's package: a fresh cluster in a temporary folder, on a free
// port of the loopback, ended and removed by whoever started it.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

const DEBIAN_BINARIES = "/usr/lib/postgresql";
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

export interface Postgres {
	/** Of the database `postgres`; its user may make others. */
	readonly url: string;
	/** Takes it away at once, as a crash does: whoever is connected is cut. What was committed stays. */
	pause(): Promise<void>;
	/** Starts it again, on the same port. Nothing happens if it runs. */
	resume(): Promise<void>;
	/** Ends and removes it. Idempotent. */
	stop(): Promise<void>;
}

/** Nothing is durable unless asked: a test's power does not go. */
export async function startPostgres(): Promise<Postgres> {
	const directory = await mkdtemp(join(tmpdir(), "fota-postgres-"));
	const user = ownerOf(directory);
	const options = { ...user, stdio: "pipe" as const, cwd: directory };
	execFileSync(join(findBinaries(), "initdb"), initialSettings(directory), options);
	const port = await freePort();
	const url = `postgres://fota@127.0.0.1:${port}/postgres`;
	let server: ChildProcess | undefined;
	const pause = async () => {
		const running = server;
		server = undefined;
		if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
		const ended = once(running, "exit");
		// Immediate shutdown: whoever is still connected is cut.
		running.kill("SIGQUIT");
		await ended;
	};
	const resume = async () => {
		if (server !== undefined) return;
		server = spawnServer(directory, { port, user });
		await waitUntilReady(server, url);
	};
	const stop = async () => {
		await pause();
		await rm(directory, { recursive: true, force: true });
	};
	try {
		await resume();
	} catch (error) {
		await stop();
		throw error;
	}
	return { url, pause, resume, stop };
}

function initialSettings(directory: string): string[] {
	const options = ["--no-sync", "--auth=trust", "--username=fota", "--encoding=UTF8", "--locale=C"];
	return [...options, join(directory, "data")];
}

function spawnServer(
	directory: string,
	{ port, user }: { readonly port: number; readonly user: { uid?: number; gid?: number } },
): ChildProcess {
	const settings = ["fsync=off", "max_connections=200", `unix_socket_directories=${directory}`];
	const place = ["-D", join(directory, "data"), "-h", "127.0.0.1", "-p", String(port)];
	return spawn(join(findBinaries(), "postgres"), [...place, ...settings.flatMap((text) => ["-c", text])], {
		...user,
		stdio: "ignore",
		cwd: directory,
	});
}

/** Makes a database, as a copy of `template` where one is named, and returns its URL. One that exists is kept. */
export async function makeDatabase(serverUrl: string, name: string, template = "template1"): Promise<string> {
	await withClient(serverUrl, async (client) => {
		const found = await client.query("select 1 from pg_database where datname = $1", [name]);
		if (found.rowCount === 0) await client.query(`create database "${name}" template "${template}"`);
	});
	const url = new URL(serverUrl);
	url.pathname = name;
	return url.href;
}

/** Takes all rows out of a migrated database, whose ids begin at 1 again. */
export async function emptyDatabase(url: string): Promise<void> {
	await withClient(url, async (client) => {
		const { rows } = await client.query<{ tablename: string }>(
			"select tablename from pg_tables where schemaname = 'public' and tablename not like 'kysely_%'",
		);
		const names = rows.map(({ tablename }) => `"${tablename}"`).join(", ");
		await client.query(`truncate ${names} restart identity cascade`);
	});
}

async function withClient(url: string, task: (client: pg.Client) => Promise<unknown>): Promise<void> {
	const client = new pg.Client({ connectionString: url });
	await client.connect();
	try {
		await task(client);
	} finally {
		await client.end();
	}
}

// PostgreSQL refuses to run as root; Debian's package brings a user for it.
function ownerOf(directory: string): { uid?: number; gid?: number } {
	if (process.getuid?.() !== 0) return {};
	const idOf = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
	const owner = { uid: idOf("-u"), gid: idOf("-g") };
	chownSync(directory, owner.uid, owner.gid);
	return owner;
}

function findBinaries(): string {
	const versions = readdirSync(DEBIAN_BINARIES).sort((a, b) => Number(b) - Number(a));
	if (versions[0] === undefined)
		throw new Error("PostgreSQL is missing; bash scripts/setup.sh --tests installs it");
	return join(DEBIAN_BINARIES, versions[0], "bin");
}

async function freePort(): Promise<number> {
	const holder = createServer().listen(0, "127.0.0.1");
	await once(holder, "listening");
	const address = holder.address();
	holder.close();
	await once(holder, "close");
	if (address === null || typeof address === "string") throw new Error("no port");
	return address.port;
}

async function waitUntilReady(server: ChildProcess, url: string): Promise<void> {
	for (const startMs = Date.now(); Date.now() - startMs < START_TIMEOUT_MS; ) {
		if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
		try {
			await withClient(url, (client) => client.query("select 1"));
			return;
		} catch {
			await new Promise((resolve) => setTimeout(resolve, POLL_MS));
		}
	}
	throw new Error("postgres was not ready in time");
}
