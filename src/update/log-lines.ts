// The lines a person at the serial monitor reads, and that scripts look for: pure. Used by the runner.
import type { FotaError } from "../protocol/error-codes.js";
import type { Offer } from "./offer.js";
import type { State } from "./states.js";

/** `state <STATE>`, with what belongs to it behind. */
export function stateLine(state: State): string {
	const details = stateDetails(state);
	return details === "" ? `state ${state.name}` : `state ${state.name} ${details}`;
}

function stateDetails(state: State): string {
	switch (state.name) {
		case "CHECKING_MANIFEST":
			return state.asks === "order" ? "(rollback order)" : "";
		case "DOWNLOADING":
			return offerDetails(state.offer);
		case "VERIFYING":
		case "WRITING":
		case "REBOOTING":
			return state.release.version;
		case "BOOT_VERIFICATION":
			return state.hasDeadline ? state.trial.version : `${state.trial.version} (no way back)`;
		case "ROLLBACK":
			return `${state.left.version}: ${state.left.code}: ${state.left.message}`;
		case "COMPLETED":
			return state.release?.version ?? "";
		case "FAILED":
			return state.error.code;
		default:
			return "";
	}
}

function offerDetails(offer: Offer): string {
	const { version, sizeBytes } = offer.release;
	const way = offer.isPushed ? "pushed" : `in chunks of ${offer.chunkBytes / 1024} KB`;
	return `${version}, ${Math.ceil(sizeBytes / 1024)} KB ${way}`;
}

/** The server asked to come again later. */
export function shedLine({ code, message, retryAfterSeconds }: FotaError): string {
	return `put off by the server for ${retryAfterSeconds} s: ${code}: ${message}`;
}

/** A line at each 5 % of progress; undefined between. */
export function progressLine(options: {
	/** Chunks in flash. */
	readonly chunk: number;
	readonly chunkCount: number;
	readonly chunkBytes: number;
	/** Chunks that came since `elapsedMs` began. */
	readonly fetchedCount: number;
	readonly elapsedMs: number;
	/** Default "download". */
	readonly what?: "download" | "push";
}): string | undefined {
	const { chunk, chunkCount, chunkBytes, what = "download" } = options;
	const percent = Math.floor((100 * chunk) / chunkCount);
	const isNewStep = Math.floor(percent / 5) > Math.floor((100 * (chunk - 1)) / chunkCount / 5);
	if (!isNewStep) return undefined;
	const kilobytes = Math.floor((chunk * chunkBytes) / 1024);
	const seconds = Math.max(1, options.elapsedMs) / 1000;
	const rate = Math.round((options.fetchedCount * chunkBytes) / 1024 / seconds);
	return `${what} ${percent} % (${chunk} of ${chunkCount} chunks), ${kilobytes} KB, ${rate} KB/s`;
}
