// A server as an operator runs it: server/main.ts as a process of its own, with settings from the environment. Used by the
// bench's phases.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { type Program, startProgram } from "../system-programs/program.js";
import { DEVICE_TYPE } from "./device-load.js";

/** The same for all servers of a run: devices have one key everywhere. */
export const MASTER_KEY_HEX = randomBytes(32).toString("hex");
export const ADMIN_TOKEN = randomBytes(24).toString("hex");
const JWT_SECRET_HEX = randomBytes(32).toString("hex");

export interface ServerOptions {
	readonly dataFolder: string;
	/** `postgres://…`. Default: SQLite in the data folder. */
	readonly databaseUrl?: string | undefined;
	/** Where Node writes what the CPU did, when the server ends. Default: nowhere. */
	readonly profileFolder?: string | undefined;
}

export interface ServerProcess {
	readonly url: string;
	/** What of the process is in memory now. */
	residentBytes(): Promise<number>;
	stop(): Promise<void>;
}

/**
 * As shipped, but for the limit of an address, which is switched off as docs/operation.md says for load tests from one
 * machine, and the bench's device type, which is let in without a MAC for the row about old devices.
 */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
	const { dataFolder, databaseUrl, profileFolder } = options;
	const profile = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
	let url: string | undefined;
	const program = await startProgram({
		name: "the server",
		command: process.execPath,
		args: [...profile, "scripts/run.mjs", "server/main.ts"],
		cwd: PROJECT_ROOT,
		env: {
			PATH: process.env.PATH,
			HOST: "127.0.0.1",
			PORT: "0",
			FOTA_DATA: dataFolder,
			FOTA_MASTER_KEY: MASTER_KEY_HEX,
			FOTA_JWT_SECRET: JWT_SECRET_HEX,
			FOTA_ADMIN_TOKEN: ADMIN_TOKEN,
			FOTA_RATE_LIMIT_PER_ADDRESS: "0",
			FOTA_LEGACY_DEVICE_TYPES: DEVICE_TYPE,
			...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
		},
		isReady: (output) => {
			url ??= /"url":"([^"]+)"/.exec(output)?.[1];
			return url !== undefined;
		},
	});
	return { url: url ?? "", residentBytes: () => residentBytes(program), stop: () => program.stop() };
}

async function residentBytes({ pid }: Program): Promise<number> {
	const status = await readFile(`/proc/${pid}/status`, "utf8");
	const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
	if (kibibytes === undefined) throw new Error("the server's memory is not in /proc");
	return Number(kibibytes) * 1024;
}
