// The server's own log, as JSON lines (pino). Made by app.ts. What devices do is in the event log, not here.
import type { FastifyBaseLogger } from "fastify";
import { type DestinationStream, pino } from "pino";

/** What waits while nobody takes it; later lines are lost. */
const WAITING_MAX_BYTES = 1_048_576;

/** Default: at level `info`, to standard output. */
export function createServerLog(options: {
	readonly logLevel?: string | undefined;
	readonly logStream?: DestinationStream | undefined;
}): FastifyBaseLogger {
	// Secrets travel in headers only, which are not logged; redaction is for whoever logs a request as a whole one day.
	const redact = [
		"authorization",
		"device_key",
		"*.authorization",
		"*.device_key",
		"*.headers",
		"*.*.authorization",
	];
	const settings = { level: options.logLevel ?? "info", redact };
	return pino(settings, options.logStream ?? standardOutput());
}

// Standard output may be a file on the disk that is full. The server goes on without its log, as it does without uploads.
function standardOutput(): DestinationStream {
	const output = pino.destination({ dest: 1, sync: false, maxLength: WAITING_MAX_BYTES });
	output.on("error", () => {
		// What could not be written is tried again with the next line.
	});
	return output;
}
