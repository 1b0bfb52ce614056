// The server program: reads the environment, starts, stops on SIGTERM and SIGINT.
import { type App, createApp } from "./app.js";
import { parseSettings, type Settings } from "./settings.js";

// Database, images and secrets are nobody else's to read.
process.umask(0o077);
try {
	await run(parseSettings(process.env));
} catch (error) {
	process.stderr.write(`server not started: ${error instanceof Error ? error.message : String(error)}\n`);
	process.exitCode = 1;
}

async function run(settings: Settings): Promise<void> {
	const app = await createApp(settings.app);
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(app, signal));
	try {
		const url = await app.listen(settings.listen);
		announce(app, settings, url);
	} catch (error) {
		await app.close();
		throw error;
	}
}

function announce(app: App, settings: Settings, url: string): void {
	const { log } = app.fastify;
	const isOpen = settings.listen.host === "0.0.0.0" || settings.listen.host === "::";
	log.info(
		{ url, data: settings.app.dataDirectory },
		isOpen
			? "listening on all addresses, so that devices can reach it (HOST=127.0.0.1 for this machine only)"
			: "listening",
	);
	if (!app.isAdminTokenNew) return;
	// Shown once, to a person: log files and pipes get the place only.
	if (process.stderr.isTTY) process.stderr.write(`\nAdmin token, shown only now: ${app.adminToken}\n\n`);
	log.info({ file: settings.adminTokenFile }, "admin token made, kept in this file");
}

async function stop(app: App, signal: string): Promise<void> {
	app.fastify.log.info({ signal }, "stopping");
	await app.close();
	app.fastify.log.info("stopped");
}
