// Runs a simulated device (docs/simulator.md) as a child process and hands out its serial line. Called by the demo and
// by tests. It must not know what the firmware prints.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { simulatorPath } from "../image/firmware-build.js";

/** Grace in milliseconds between the polite signal and the other one. */
const STOP_GRACE_MS = 5000;
/** Against a run that hangs, on a machine that may be slow. */
const WALL_MAX_SECONDS = 200;
const LINE_MAX_MS = 180_000;

export interface SimulatorRun {
	/** The flash file; it is changed in place. */
	readonly flash: string;
	/** Further options of `xs-fota-sim run`. */
	readonly args?: readonly string[] | undefined;
	/** The run ends well when a serial line contains one of these. */
	readonly until?: readonly string[] | undefined;
	/** File for what the device's application wrote and read; wire-capture reads it. Default none. */
	readonly capture?: string | undefined;
	/** Default release. */
	readonly variant?: "release" | "asan" | undefined;
	/** Real time the run may take, in seconds. Default 200. */
	readonly maxWallSeconds?: number | undefined;
	/** Virtual time: jumps to the next timer while no socket is open. Default true. */
	readonly isFast?: boolean | undefined;
	readonly onLine?: ((line: string) => void) | undefined;
}

/** What --stats writes; docs/simulator.md explains each figure. */
export interface SimulatorStats {
	readonly end: string;
	/** The text of --until that was met. */
	readonly until: string | null;
	readonly boots: number;
	readonly resets: readonly { readonly reason: string; readonly virtualMs: number }[];
	readonly virtualMs: number;
	/** Label of the slot that booted last. */
	readonly slot: string;
	readonly flash: Readonly<Record<string, number>>;
	readonly network: Readonly<Record<string, number>>;
	readonly xs: Readonly<Record<string, number>>;
}

export interface SimulatorResult {
	readonly exitCode: number | undefined;
	readonly lines: readonly string[];
	/** The serial log as one text. */
	readonly log: string;
	/** What the simulator itself said, sanitizer reports among it. */
	readonly stderr: string;
	readonly stats: SimulatorStats | undefined;
}

export class SimulatorProcess {
	readonly #child: ChildProcess;
	readonly #lines: string[] = [];
	readonly #waiters = new Set<() => void>();
	readonly #statsFolder: string;
	readonly #onLine: SimulatorRun["onLine"];
	#stderr = "";
	#isOver = false;
	/** Resolves when the run is over; never rejects. */
	readonly result: Promise<SimulatorResult>;

	static async start(run: SimulatorRun): Promise<SimulatorProcess> {
		return new SimulatorProcess(run, await mkdtemp(join(tmpdir(), "xs-fota-run-")));
	}

	private constructor(run: SimulatorRun, statsFolder: string) {
		this.#statsFolder = statsFolder;
		this.#onLine = run.onLine;
		const args = ["run", "--flash", run.flash, "--stats", join(statsFolder, "stats.json")];
		args.push("--max-wall-seconds", String(run.maxWallSeconds ?? WALL_MAX_SECONDS));
		if (run.isFast !== false) args.push("--fast");
		if (run.capture !== undefined) args.push("--capture", run.capture);
		for (const text of run.until ?? []) args.push("--until", text);
		this.#child = spawn(simulatorPath(run.variant), [...args, ...(run.args ?? [])], {
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.result = this.#collect();
	}

	async #collect(): Promise<SimulatorResult> {
		const { stdout, stderr } = this.#child;
		stderr?.on("data", (piece: Buffer) => {
			this.#stderr = (this.#stderr + piece.toString()).slice(-20_000);
		});
		if (stdout) createInterface({ input: stdout }).on("line", (line) => this.#take(line));
		const exitCode = await new Promise<number | undefined>((resolve) => {
			this.#child.on("error", (error) => {
				this.#stderr += error.message;
				resolve(undefined);
			});
			this.#child.on("close", (code) => resolve(code ?? undefined));
		});
		const stats = await readFile(join(this.#statsFolder, "stats.json"), "utf8").catch(() => undefined);
		await rm(this.#statsFolder, { recursive: true, force: true });
		this.#isOver = true;
		for (const wake of this.#waiters) wake();
		return {
			exitCode,
			lines: this.#lines,
			log: this.#lines.join("\n"),
			stderr: this.#stderr,
			stats: stats === undefined ? undefined : (JSON.parse(stats) as SimulatorStats),
		};
	}

	#take(line: string): void {
		this.#lines.push(line);
		this.#onLine?.(line);
		for (const wake of this.#waiters) wake();
	}

	/** The first line from `from` on that contains `text`; rejects when the run ends or `timeoutMs` passes without it. */
	waitForLine(
		text: string,
		options: { readonly timeoutMs?: number; readonly from?: number } = {},
	): Promise<string> {
		let at = options.from ?? 0;
		return new Promise((resolve, reject) => {
			const finish = (settle: () => void) => {
				clearTimeout(timer);
				this.#waiters.delete(look);
				settle();
			};
			const giveUp = (why: string) =>
				finish(() =>
					reject(
						new Error(`${why} without "${text}":\n${this.#lines.slice(-40).join("\n")}\n${this.#stderr}`),
					),
				);
			const timer = setTimeout(() => giveUp("time passed"), options.timeoutMs ?? LINE_MAX_MS);
			const look = () => {
				for (; at < this.#lines.length; at++) {
					const line = this.#lines[at] ?? "";
					if (line.includes(text)) return finish(() => resolve(line));
				}
				if (this.#isOver) giveUp("the device stopped");
			};
			this.#waiters.add(look);
			look();
		});
	}

	/** Number of lines so far: where a later waitForLine() may begin. */
	get lineCount(): number {
		return this.#lines.length;
	}

	/** Switches the device off and waits for its end. */
	async stop(): Promise<SimulatorResult> {
		if (!this.#isOver) this.#child.kill("SIGTERM");
		const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_GRACE_MS);
		const result = await this.result;
		clearTimeout(timer);
		return result;
	}
}

/** Runs a device to its end. */
export async function runSimulator(run: SimulatorRun): Promise<SimulatorResult> {
	return (await SimulatorProcess.start(run)).result;
}
