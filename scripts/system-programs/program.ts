// Programs that the bench and tests start beside themselves: when they are ready, what they say if they are not, how they end.
// Used by nginx.ts and postgres.ts, and by the bench's server-process.ts.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const READY_TIMEOUT_MS = 180_000;
const POLL_MS = 50;
const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_KEPT_CHARS = 4000;

/** What is missing on this machine, and how to get it: rows that need it are left out. */
export class MissingProgram extends Error {}

export interface Program {
	readonly pid: number;
	/** Waits for `signal`'s effect; ends it by force after 15 s. Idempotent. */
	stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface ProgramOptions extends SpawnOptions {
	readonly name: string;
	readonly command: string;
	readonly args: readonly string[];
	/** Asked again and again until it is true. */
	readonly isReady: (output: string) => boolean | Promise<boolean>;
}

/** Throws with its last words when it ends before it is ready, or is not ready within three minutes. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
	const { name, command, args, isReady, ...rest } = options;
	const child = spawn(command, args, { ...rest, stdio: ["ignore", "pipe", "pipe"] });
	let output = "";
	let spawnFailure: Error | undefined;
	child.once("error", (error) => {
		spawnFailure = error;
	});
	for (const stream of [child.stdout, child.stderr])
		stream?.on("data", (piece: Buffer) => {
			output = (output + piece.toString()).slice(-OUTPUT_KEPT_CHARS);
		});
	const program = { pid: child.pid ?? 0, stop: stopperOf(child) };
	for (const startMs = Date.now(); Date.now() - startMs < READY_TIMEOUT_MS; await sleep(POLL_MS)) {
		if (spawnFailure !== undefined) throw new Error(`${name} was not started: ${spawnFailure.message}`);
		if (hasEnded(child)) throw new Error(`${name} ended at once:\n${output}`);
		if (await isReady(output)) return program;
	}
	await program.stop("SIGKILL");
	throw new Error(`${name} was not ready in time:\n${output}`);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
	return exitCode !== null || signalCode !== null;
}

function stopperOf(child: ChildProcess): Program["stop"] {
	return async (signal = "SIGTERM") => {
		if (hasEnded(child)) return;
		const ended = once(child, "exit");
		child.kill(signal);
		const force = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
		await ended;
		clearTimeout(force);
	};
}

/** That many, none twice, for programs that cannot be told to take any. */
export async function freePorts(count: number): Promise<number[]> {
	const holders = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
	await Promise.all(holders.map((holder) => once(holder, "listening")));
	const ports = holders.map((holder) => {
		const address = holder.address();
		if (address === null || typeof address === "string") throw new Error("no port");
		return address.port;
	});
	await Promise.all(holders.map((holder) => once(holder.close(), "close")));
	return ports;
}

export async function freePort(): Promise<number> {
	const [port = 0] = await freePorts(1);
	return port;
}
