// nginx, from the system's package, with one file to give: what the server's chunk answers are measured against. A process of
// its own with its own settings, on a free port of the loopback; a running one is never touched.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, MissingProgram, startProgram } from "./processes.js";

/** Debian's is in no user's PATH. */
const PLACES = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx", "/usr/bin/nginx"];

export interface StaticServer {
	readonly url: string;
	stop(): Promise<void>;
}

/** Gives the image at /image.bin. Throws MissingProgram. */
export async function startNginx(folder: string, image: Uint8Array): Promise<StaticServer> {
	const command = PLACES.find((path) => existsSync(path));
	if (command === undefined)
		throw new MissingProgram("nginx is missing (Debian: sudo apt-get install nginx)");
	const port = await freePort();
	await mkdir(join(folder, "static"), { recursive: true });
	await writeFile(join(folder, "static", "image.bin"), image);
	const settings = join(folder, "nginx.conf");
	await writeFile(settings, settingsText(folder, port));
	const url = `http://127.0.0.1:${port}`;
	const program = await startProgram({
		name: "nginx",
		command,
		args: ["-p", folder, "-e", join(folder, "error.log"), "-c", settings],
		isReady: () =>
			fetch(`${url}/image.bin`, { method: "HEAD" }).then(
				(answer) => answer.ok,
				() => false,
			),
	});
	return { url, stop: () => program.stop("SIGTERM") };
}

// What nginx has by default, one process for one of the server's; no log of requests, as the server writes none.
function settingsText(folder: string, port: number): string {
	const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
	return `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 512; }
http {
	${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n\t")}
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000;
	server {
		listen 127.0.0.1:${port};
		root ${folder}/static;
	}
}
`;
}
