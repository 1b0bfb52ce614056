// What a run of the bench has in its hands: the folder, the load generator, the release, and whatever was started, which is
// ended in the opposite order. Made by bench-server.ts, used by the phases.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DATABASE_FILE } from "../../server/open-stores.js";
import { fillDatabase, makeRelease, type Release } from "./fleet.js";
import { LoadGenerator } from "./load.js";
import { type RoundsOptions, runRounds, type Samples } from "./rounds.js";
import { MASTER_KEY_HEX, type ServerOptions, type ServerProcess, startServer } from "./server-process.js";

export interface BenchOptions {
	/** The run's own folder is made below it. */
	readonly folder: string;
	readonly roundCount: number;
	readonly durationMs: number;
	readonly profileFolder: string | undefined;
}

export interface Fleet {
	readonly name: string;
	readonly count: number;
}

export interface Site {
	readonly server: ServerProcess;
	readonly fleet: Fleet;
}

/** Beside those that prove themselves: as many as there are connections. */
export const OLD_FLEET = { name: "old", count: 64 };

export class Bench {
	readonly options: BenchOptions;
	readonly folder: string;
	readonly generator: LoadGenerator;
	readonly release: Release = makeRelease();
	readonly #endings: (() => Promise<void>)[] = [];

	private constructor(options: BenchOptions, folder: string) {
		this.options = options;
		this.folder = folder;
		this.generator = LoadGenerator.start();
		this.endWith(() => this.generator.stop());
	}

	static async open(options: BenchOptions): Promise<Bench> {
		const folder = await mkdtemp(join(options.folder, "fota-bench-"));
		// PostgreSQL, where it runs as another user, has its folder below.
		await chmod(folder, 0o711);
		return new Bench(options, folder);
	}

	endWith(ending: () => Promise<void>): void {
		this.#endings.push(ending);
	}

	/** A server on SQLite, in a folder of its own, with the release and these devices. */
	async sqliteServer(
		name: string,
		fleets: readonly Fleet[],
	): Promise<{ server: ServerProcess; durability: string }> {
		const dataFolder = join(this.folder, name);
		const server = await this.server({ dataFolder });
		await this.release.publish(server.url);
		return { server, durability: await fillDatabase(join(dataFolder, DATABASE_FILE), fleets) };
	}

	async server(options: ServerOptions): Promise<ServerProcess> {
		const server = await startServer({ ...options, profileFolder: this.options.profileFolder });
		this.endWith(() => server.stop());
		return server;
	}

	rounds(options: Pick<RoundsOptions, "contenders" | "connectionCount" | "onTurn">): Promise<Samples> {
		const { roundCount, durationMs } = this.options;
		return runRounds(this.generator, { ...options, roundCount, durationMs, common: this.common });
	}

	get common() {
		const { version, hash, sizeBytes } = this.release;
		return { release: { version, hash, sizeBytes }, masterKeyHex: MASTER_KEY_HEX };
	}

	/** Idempotent. */
	async close(): Promise<void> {
		for (const end of this.#endings.splice(0).reverse()) await end();
		await rm(this.folder, { recursive: true, force: true });
	}
}

export function say(text: string): void {
	process.stderr.write(`${text}\n`);
}
