// What the bench and its load generator say to each other, and the generator as the bench sees it: one process of its own,
// to which one job after the other is given. Used by bench-server.ts and its phases; the other end is generator.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

/** The release that everything is measured with. */
export interface BenchRelease {
	readonly version: string;
	/** SHA-256 of the image, hex. */
	readonly hash: string;
	readonly sizeBytes: number;
}

/** Registered devices `NAME-0` … `NAME-<count - 1>`, of which a job uses those from `first` on. */
export interface FleetPart {
	readonly name: string;
	readonly first: number;
	readonly count: number;
}

/**
 * file: the image from nginx. frames: the image in one answer, as our firmware asks for it. json: the image in 16 KiB chunks
 * of JSON, as old devices ask. polls: manifest polls of devices that are up to date. offers: polls that are offered the
 * release. reports: progress of a download.
 */
export type LoadKind = "file" | "frames" | "json" | "polls" | "offers" | "reports";

export interface Job {
	readonly kind: LoadKind;
	/** Where to; connections are spread over them evenly. */
	readonly urls: readonly string[];
	readonly connectionCount: number;
	/** After which no further request begins. */
	readonly durationMs: number;
	/** Ends the job earlier. Default: no maximum. */
	readonly requestMax?: number | undefined;
	readonly masterKeyHex: string;
	readonly fleet: FleetPart;
	readonly release: BenchRelease;
}

export interface LoadResult {
	readonly requestCount: number;
	/** Of images, without what is around them. */
	readonly imageBytes: number;
	/** From the first request to the last answer. */
	readonly elapsedMs: number;
}

export type LoadAnswer = { readonly result: LoadResult } | { readonly failure: string };

export class LoadGenerator {
	readonly #child: ChildProcess;
	readonly #ended: Promise<readonly [LoadAnswer]>;

	private constructor(child: ChildProcess) {
		this.#child = child;
		this.#ended = once(child, "exit").then(() => [{ failure: "the load generator ended" }]);
	}

	static start(): LoadGenerator {
		const args = ["scripts/run.mjs", "scripts/bench-server/generator.ts"];
		const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
		return new LoadGenerator(spawn(process.execPath, args, { cwd: PROJECT_ROOT, stdio: [...stdio] }));
	}

	/** One at a time. Throws when an answer was not what a device expects. */
	async run(job: Job): Promise<LoadResult> {
		const answered = once(this.#child, "message") as Promise<[LoadAnswer]>;
		this.#child.send(job);
		const [answer] = await Promise.race([answered, this.#ended]);
		if ("failure" in answer) throw new Error(`${job.kind} at ${job.urls.join(", ")}: ${answer.failure}`);
		return answer.result;
	}

	async stop(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const ended = once(this.#child, "exit");
		this.#child.kill("SIGKILL");
		await ended;
	}
}
