// Bytes of an image a second: chunk frames as our firmware asks for them, and the JSON chunks of old devices, against nginx
// that gives the same bytes as a static file. Called by bench-server.ts.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startNginx } from "../system-programs/nginx.js";
import { freePort, MissingProgram } from "../system-programs/program.js";
import { type Bench, OLD_FLEET, type Site, say } from "./bench.js";
import type { FleetPart } from "./load.js";
import { compare, median, megabytesPerSecond, ratesOf, type Samples } from "./rounds.js";
import type { Row } from "./table.js";

const CONNECTIONS = 16;
const FRAMES_LABEL = "image as chunk frames, MB/s, against a file from nginx";
const JSON_LABEL = "image as JSON chunks of old devices, MB/s, likewise";

export async function measureImages(bench: Bench, { server, fleet }: Site): Promise<Row[]> {
	const nginx = await nginxOf(bench);
	say(`images: frames, JSON chunks${nginx.url === undefined ? "" : ", nginx"} …`);
	const part: FleetPart = { ...fleet, first: 0 };
	const urls = [server.url];
	const samples = await bench.rounds({
		connectionCount: CONNECTIONS,
		contenders: {
			frames: { kind: "frames", urls, fleet: part },
			...(nginx.url !== undefined && { nginx: { kind: "file", urls: [nginx.url], fleet: part } }),
			json: { kind: "json", urls, fleet: { ...OLD_FLEET, first: 0 } },
		},
	});
	if (nginx.url === undefined)
		return [
			{ label: "image as chunk frames, MB/s", value: rateOf(samples, "frames") },
			{ label: "image as JSON chunks of old devices, MB/s", value: rateOf(samples, "json") },
			{ label: FRAMES_LABEL, leftOut: nginx.missing },
		];
	return [
		{
			label: FRAMES_LABEL,
			...compare(samples, ["frames", "nginx"], megabytesPerSecond),
			goal: { atLeast: 0.5 },
		},
		{ label: JSON_LABEL, ...compare(samples, ["json", "nginx"], megabytesPerSecond) },
	];
}

function rateOf(samples: Samples, name: string): number {
	return median(ratesOf(samples, name, megabytesPerSecond));
}

type FoundNginx = { readonly url: string } | { readonly url: undefined; readonly missing: string };

async function nginxOf(bench: Bench): Promise<FoundNginx> {
	try {
		const folder = join(bench.folder, "nginx");
		await mkdir(join(folder, "static"), { recursive: true });
		await writeFile(join(folder, "static", "image.bin"), bench.release.image);
		const port = await freePort();
		const url = `http://127.0.0.1:${port}`;
		const nginx = await startNginx(folder, settingsText(folder, port), url);
		bench.endWith(() => nginx.stop());
		return { url };
	} catch (error) {
		if (!(error instanceof MissingProgram)) throw error;
		return { url: undefined, missing: error.message };
	}
}

// What nginx has by default, one process for one of the server's.
function settingsText(folder: string, port: number): string {
	return `
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
events { worker_connections 512; }
http {
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
