// The load generator: a program of its own, started by load.ts, that speaks for many devices over kept-alive connections of
// node:http, an agent each. Carries out one job after the other; any answer that is not the expected one ends a job.
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { RESPONSE_MAC_HEADER } from "../../src/protocol/device-auth.js";
import { DeviceLoad, type LoadRequest } from "./device-load.js";
import type { Job, LoadAnswer, LoadResult } from "./load.js";

const ANSWER_TIMEOUT_MS = 30_000;
const SHOWN_CHARS = 300;

interface Connection {
	readonly agent: Agent;
	readonly url: URL;
	readonly load: DeviceLoad;
}

process.on("message", async (job: Job) => {
	let answer: LoadAnswer;
	try {
		answer = { result: await carryOut(job) };
	} catch (error) {
		answer = { failure: (error as Error).message };
	}
	process.send?.(answer);
});
// The bench is gone.
process.once("disconnect", () => process.exit());

async function carryOut(job: Job): Promise<LoadResult> {
	const connections = Array.from({ length: job.connectionCount }, (_, at) => connect(job, at));
	try {
		// Opens the connections, and shows that what is measured is answered as a device expects.
		await Promise.all(connections.map((connection) => ask(connection, connection.load.next(), true)));
		const counts = { requests: 0, imageBytes: 0, begun: 0 };
		const startMs = performance.now();
		const endMs = startMs + job.durationMs;
		const drive = async (connection: Connection) => {
			while (performance.now() < endMs && counts.begun < (job.requestMax ?? Number.POSITIVE_INFINITY)) {
				counts.begun++;
				const wanted = connection.load.next();
				await ask(connection, wanted, false);
				counts.requests++;
				counts.imageBytes += wanted.imageBytes;
			}
		};
		await Promise.all(connections.map(drive));
		const elapsedMs = performance.now() - startMs;
		return { requestCount: counts.requests, imageBytes: counts.imageBytes, elapsedMs };
	} finally {
		for (const { agent } of connections) agent.destroy();
	}
}

function connect(job: Job, at: number): Connection {
	const url = new URL(job.urls[at % job.urls.length] ?? "");
	const load = new DeviceLoad(job, { first: at, step: job.connectionCount });
	return { agent: new Agent({ keepAlive: true, maxSockets: 1 }), url, load };
}

/** With `isChecked` the answer's MAC is checked as well, for which the whole body is kept. */
function ask(connection: Connection, wanted: LoadRequest, isChecked: boolean): Promise<void> {
	const { method, path, headers, body } = wanted;
	const { agent, url } = connection;
	return new Promise((resolve, reject) => {
		const options = { agent, method, path, headers, host: url.hostname, port: url.port };
		const request = httpRequest(options, (response) => {
			const pieces: Buffer[] = [];
			let byteCount = 0;
			response.on("data", (piece: Buffer) => {
				byteCount += piece.length;
				if (isChecked || response.statusCode !== wanted.expectedStatus) pieces.push(piece);
			});
			response.on("error", reject);
			response.on("end", () => {
				const fault = faultOf(response, { wanted, byteCount, body: Buffer.concat(pieces), isChecked });
				if (fault === undefined) resolve();
				else reject(new Error(fault));
			});
		});
		request.setTimeout(ANSWER_TIMEOUT_MS, () => request.destroy(new Error("no answer in time")));
		request.on("error", reject);
		request.end(body);
	});
}

interface Answered {
	readonly wanted: LoadRequest;
	readonly byteCount: number;
	/** As far as it was kept. */
	readonly body: Buffer;
	readonly isChecked: boolean;
}

function faultOf(response: IncomingMessage, answered: Answered): string | undefined {
	const { wanted, byteCount, body, isChecked } = answered;
	const { statusCode: status = 0, headers } = response;
	const what = `${wanted.method} ${wanted.path.slice(0, 80)}`;
	if (status !== wanted.expectedStatus)
		return `${what} was answered ${status}: ${body.toString("utf8", 0, SHOWN_CHARS)}`;
	if (wanted.expectedBytes !== undefined && byteCount !== wanted.expectedBytes)
		return `${what} brought ${byteCount} bytes, not ${wanted.expectedBytes}`;
	if (isChecked && wanted.macOf !== undefined && headers[RESPONSE_MAC_HEADER] !== wanted.macOf(status, body))
		return `${what}: the answer's MAC is wrong`;
	return undefined;
}
