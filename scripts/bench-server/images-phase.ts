// Bytes of an image a second: chunk frames as our firmware asks for them, and the JSON chunks of old devices, against nginx
// that gives the same bytes as a static file. Called by bench-server.ts.
import { type Bench, OLD_FLEET, type Site, say } from "./bench.js";
import type { FleetPart } from "./load.js";
import { startNginx } from "./nginx.js";
import { MissingProgram } from "./processes.js";
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
		const nginx = await startNginx(bench.folder, bench.release.image);
		bench.endWith(() => nginx.stop());
		return { url: nginx.url };
	} catch (error) {
		if (!(error instanceof MissingProgram)) throw error;
		return { url: undefined, missing: error.message };
	}
}
