// The server program: reads the environment, starts, stops on SIGTERM and SIGINT; or carries out a command and ends.
import { type App, createApp } from "./app.js";
import { FIRST_ADMIN_NAME } from "./auth/first-admin.js";
import { runCommand } from "./commands/command-line.js";
import { createReadableLog } from "./readable-log.js";
import { parseSettings, type Settings } from "./settings.js";

// Database, images and secrets are nobody else's to read.
process.umask(0o077);
const words = process.argv.slice(2);
try {
	const settings = parseSettings(process.env);
	const say = (line: string) => void process.stdout.write(`${line}\n`);
	await (words.length === 0 ? run(settings) : runCommand(words, { settings, say }));
} catch (error) {
	const what = words.length === 0 ? "server not started" : "not done";
	process.stderr.write(`${what}: ${reasonOf(error)}\n`);
	process.exitCode = 1;
}

async function run(settings: Settings): Promise<void> {
	const logStream = process.stdout.isTTY ? createReadableLog(process.stdout) : undefined;
	const app = await createApp({ ...settings.app, logStream });
	// Else the signal ends the process, as ever when a terminal is closed.
	if (settings.app.tls !== undefined) process.on("SIGHUP", () => void reload(app));
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(app, signal));
	try {
		const url = await app.listen(settings.listen);
		showFirstPassword(await app.makeFirstAdmin(), app.adminToken !== "");
		announce(app, settings, url);
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
			admin_token: app.adminToken === "" ? "off" : (settings.adminTokenFile ?? "from FOTA_ADMIN_TOKEN"),
		},
		isOpen
			? "listening on all addresses, so that devices can reach it (HOST=127.0.0.1 for this machine only)"
			: "listening",
	);
}

// Once, and where a person looks: never among the log lines, which are kept and sent elsewhere.
function showFirstPassword(password: string | undefined, hasAdminToken: boolean): void {
	if (password === undefined) return;
	const otherwise = hasAdminToken
		? "the admin token can give a new one"
		: "start once without FOTA_ADMIN_TOKEN=off: that token can give a new one";
	process.stderr.write(
		`\nThe first user was made. Log in with it, and choose another password:\n\n    name      ${FIRST_ADMIN_NAME}\n` +
			`    password  ${password}\n\nIt is shown this once. If it is lost, ${otherwise}.\n\n`,
	);
}

/** SIGHUP: the certificate was renewed. */
async function reload(app: App): Promise<void> {
	try {
		await app.reloadTls();
	} catch (error) {
		app.fastify.log.error({ err: error }, "TLS certificate not read; the one before stays");
	}
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
