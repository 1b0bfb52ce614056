// Runs the command line inside the test's process, as main.ts runs it in one of its own: same program, with a shell that
// keeps what is printed. host-tests/cli/main.test.ts shows that main.ts does the same for a real process.
import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { runCommand } from "../../cli/program.js";
import type { EndingSignal, Output, Shell } from "../../cli/shell.js";

export interface FotaOutcome {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

export interface FotaOptions {
	/** Where relative paths begin. Default: where the test runs. */
	readonly cwd?: string;
	/** Added to that of the test. */
	readonly env?: Readonly<Record<string, string>>;
}

/** To its end, with no input and no terminal. */
export async function runFota(args: readonly string[], options: FotaOptions = {}): Promise<FotaOutcome> {
	return startFota(args, options).over;
}

export interface RunningFota {
	readonly over: Promise<FotaOutcome>;
	/** What it printed so far. */
	readonly out: () => string;
	/** As Ctrl+C and kill do; tells whether anybody listens for it, else it would be the end of a process. */
	readonly signal: (name: EndingSignal) => boolean;
}

export function startFota(args: readonly string[], options: FotaOptions = {}): RunningFota {
	const shell = new TestShell({ ...process.env, ...options.env });
	const run = async () => {
		const leave = enter(options.cwd ?? process.cwd());
		try {
			const code = await runCommand(args, shell);
			return { code, out: shell.stdout.text, error: shell.stderr.text };
		} finally {
			leave();
		}
	};
	return { over: run(), out: () => shell.stdout.text, signal: (name) => shell.signal(name) };
}

class TestShell implements Shell {
	readonly environment: NodeJS.ProcessEnv;
	readonly stdin = new PassThrough().end();
	readonly stdout = new Kept();
	readonly stderr = new Kept();
	readonly #listeners = new Set<(signal: EndingSignal) => void>();

	constructor(environment: NodeJS.ProcessEnv) {
		this.environment = environment;
	}

	readonly onSignal: Shell["onSignal"] = (listener) => {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	};

	signal(name: EndingSignal): boolean {
		const listeners = [...this.#listeners];
		for (const listener of listeners) listener(name);
		return listeners.length > 0;
	}

	readonly startHere: Shell["startHere"] = (program, args) => {
		const child = spawn(program, args, { env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
		child.stdout.on("data", (bytes: Buffer) => this.stdout.write(bytes));
		child.stderr.on("data", (bytes: Buffer) => this.stderr.write(bytes));
		return child;
	};
}

class Kept implements Output {
	readonly #pieces: Buffer[] = [];

	get text(): string {
		return Buffer.concat(this.#pieces).toString();
	}

	readonly write = (text: string | Uint8Array): void => {
		this.#pieces.push(Buffer.from(text));
	};
}

interface Stay {
	readonly folder: string;
	readonly before: string;
	count: number;
}

// A process has one working folder, so all commands that run at a time must share it.
let stay: Stay | undefined;

function enter(folder: string): () => void {
	stay ??= { folder, before: process.cwd(), count: 0 };
	if (stay.folder !== folder) throw new Error(`a command still runs in ${stay.folder}`);
	stay.count++;
	process.chdir(folder);
	return () => {
		if (!stay || --stay.count > 0) return;
		process.chdir(stay.before);
		stay = undefined;
	};
}
