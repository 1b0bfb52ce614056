// The server program: reads the environment, starts, stops on SIGTERM and SIGINT.
import { type App, createApp } from "./app.js";
import { createReadableLog } from "./readable-log.js";
import { parseSettings, type Settings } from "./settings.js";

// Database, images and secrets are nobody else's to read.
process.umask(0o077);
try {
	await run(parseSettings(process.env));
} catch (error) {
	process.stderr.write(`server not started: ${reasonOf(error)}\n`);
	process.exitCode = 1;
}

async function run(settings: Settings): Promise<void> {
	const logStream = process.stdout.isTTY ? createReadableLog(process.stdout) : undefined;
	const app = await createApp({ ...settings.app, logStream });
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(app, signal));
	try {
		announce(app, settings, await app.listen(settings.listen));
	} catch (error) {
		await app.close();
		throw error;
	}
}

// The place of the token, never the token: log lines go to files and pipes.
function announce(app: App, settings: Settings, url: string): void {
	const isOpen = settings.listen.host === "0.0.0.0" || settings.listen.host === "::";
	app.fastify.log.info(
		{
			url,
			data: settings.app.dataDirectory,
			admin_token: settings.adminTokenFile ?? "from FOTA_ADMIN_TOKEN",
		},
		isOpen
			? "listening on all addresses, so that devices can reach it (HOST=127.0.0.1 for this machine only)"
			: "listening",
	);
}

async function stop(app: App, signal: string): Promise<void> {
	app.fastify.log.info({ signal }, "stopping");
	await app.close();
	app.fastify.log.info("stopped");
}

function reasonOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const { code, path } = error as NodeJS.ErrnoException;
	if ((code === "EACCES" || code === "EPERM") && path !== undefined)
		return `${path} is closed to this user (${code}): the data folder must belong to the user that runs the server`;
	if ((code === "EEXIST" || code === "ENOTDIR") && path !== undefined)
		return `${path} is not a folder; FOTA_DATA must name one, or a place where one can be made`;
	return error.message;
}
