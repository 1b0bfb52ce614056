// A PostgreSQL server of the bench's own, from the system's package, as it is by default (fsync on): a fresh cluster on a free
// port of the loopback. A running one is never touched.
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { freePort, MissingProgram, startProgram } from "./processes.js";

const DEBIAN_BINARIES = "/usr/lib/postgresql";

export interface Postgres {
	readonly url: string;
	/** As the program says it. */
	readonly version: string;
	stop(): Promise<void>;
}

/** In a folder of its own below `parent`. Throws MissingProgram. */
export async function startPostgres(parent: string): Promise<Postgres> {
	const binaries = findBinaries();
	const folder = await mkdtemp(join(parent, "postgres-"));
	const owner = ownerOf(folder);
	const options = { ...owner, cwd: folder };
	const data = join(folder, "data");
	const initial = ["--auth=trust", "--username=fota", "--encoding=UTF8", "--locale=C", data];
	execFileSync(join(binaries, "initdb"), initial, { ...options, stdio: "pipe" });
	const port = await freePort();
	const url = `postgres://fota@127.0.0.1:${port}/postgres`;
	const place = [
		"-D",
		data,
		"-h",
		"127.0.0.1",
		"-p",
		String(port),
		"-c",
		`unix_socket_directories=${folder}`,
	];
	const program = await startProgram({
		...options,
		name: "PostgreSQL",
		command: join(binaries, "postgres"),
		args: place,
		isReady: () => answers(url),
	});
	const version = execFileSync(join(binaries, "postgres"), ["--version"], { encoding: "utf8" });
	return {
		url,
		version: /[0-9]+(\.[0-9]+)?/.exec(version)?.[0] ?? "",
		async stop() {
			await program.stop("SIGINT");
			await rm(folder, { recursive: true, force: true });
		},
	};
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
