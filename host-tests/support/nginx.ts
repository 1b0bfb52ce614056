// nginx, from the system's package, as a process of a test's own that runs a settings file of the project. What must differ
// on this machine (ports, addresses, certificates, where it writes) the test has rewritten; all else is what ships.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";

/** Debian's is in no user's PATH. */
const PLACES = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx", "/usr/bin/nginx"];
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** What it keeps on disk while it works, each a folder. */
const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

export interface Nginx {
	/** Ends it at once. Idempotent. */
	stop(): Promise<void>;
}

/** Each text of `changes` is in the settings, or this throws: a rewriting that does nothing would test something else. */
export function rewrite(settings: string, changes: Readonly<Record<string, string>>): string {
	let text = settings;
	for (const [from, to] of Object.entries(changes)) {
		if (!text.includes(from)) throw new Error(`the settings have no "${from}"`);
		text = text.replaceAll(from, to);
	}
	return text;
}

/** Until it accepts connections at `port`. The folder is the test's, and holds what it writes. */
export async function startNginx(folder: string, settings: string, port: number): Promise<Nginx> {
	const program = PLACES.find((path) => existsSync(path));
	if (program === undefined) throw new Error("nginx is missing; bash scripts/setup.sh --tests installs it");
	const places = TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
	const file = join(folder, "nginx.conf");
	await writeFile(file, rewrite(settings, { "http {": `http { access_log off; ${places}` }));
	const directives = `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;`;
	const child = spawn(program, ["-p", folder, "-e", join(folder, "error.log"), "-c", file, "-g", directives]);
	let output = "";
	child.stderr.on("data", (piece: Buffer) => {
		output += piece.toString();
	});
	const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
	const stop = async () => {
		if (hasEnded()) return;
		const ended = once(child, "exit");
		child.kill("SIGTERM");
		await ended;
	};
	for (const startMs = Date.now(); Date.now() - startMs < START_TIMEOUT_MS; ) {
		if (hasEnded()) throw new Error(`nginx ended with ${child.exitCode}: ${output}`);
		if (await accepts(port)) return { stop };
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
	await stop();
	throw new Error(`nginx was not ready in time: ${output}`);
}

async function accepts(port: number): Promise<boolean> {
	const socket = connect(port, "127.0.0.1");
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}

/** Two or more that are free, for nginx, which cannot be told to take any. */
export async function freePorts(count: number): Promise<number[]> {
	const holders = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
	await Promise.all(holders.map((holder) => once(holder, "listening")));
	const ports = holders.map((holder) => {
		const address = holder.address();
		return address !== null && typeof address !== "string" ? address.port : 0;
	});
	await Promise.all(holders.map((holder) => once(holder.close(), "close")));
	return ports;
}
