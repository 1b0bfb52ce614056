// nginx, from the system's package, as a process of its own that runs settings given as text; a running one is never touched.
// Used by the bench, and by the test of the settings that ship.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MissingProgram, type Program, startProgram } from "./program.js";

/** Debian's is in no user's PATH. */
const PLACES = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx", "/usr/bin/nginx"];
/** What it keeps on disk while it works, each a folder. */
const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** Each text of `changes` is in the settings, or this throws: a rewriting that does nothing would run something else. */
export function rewrite(settings: string, changes: Readonly<Record<string, string>>): string {
	let text = settings;
	for (const [from, to] of Object.entries(changes)) {
		if (!text.includes(from)) throw new Error(`the settings have no "${from}"`);
		text = text.replaceAll(from, to);
	}
	return text;
}

/**
 * Until it answers at `url`, whatever it answers. The settings have an `http {`; the folder is the caller's, and holds what
 * nginx writes. Throws MissingProgram.
 */
export async function startNginx(folder: string, settings: string, url: string): Promise<Program> {
	const command = PLACES.find((path) => existsSync(path));
	if (command === undefined)
		throw new MissingProgram("nginx is missing (Debian: sudo apt-get install nginx)");
	const places = TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
	const file = join(folder, "nginx.conf");
	await writeFile(file, rewrite(settings, { "http {": `http { access_log off; ${places}` }));
	const errorLog = join(folder, "error.log");
	const directives = `daemon off; pid ${folder}/nginx.pid; error_log ${errorLog};`;
	return startProgram({
		name: "nginx",
		command,
		args: ["-p", folder, "-e", errorLog, "-c", file, "-g", directives],
		isReady: () =>
			fetch(url, { method: "HEAD", redirect: "manual" }).then(
				() => true,
				() => false,
			),
	});
}
