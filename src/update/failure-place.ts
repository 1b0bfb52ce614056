// Where an update was when it failed, for the report of it: pure. Used by the machine, kept in the books until the server
// knows. It must not know why it failed.
import type { DeviceState } from "../protocol/status-report.js";
import type { State } from "./states.js";

export interface FailurePlace {
	readonly stage: DeviceState;
	/** How much of the image lay in the slot, verified. */
	readonly offsetBytes: number;
}

/** Undefined where no image is under way. */
export function placeOf(state: State): FailurePlace | undefined {
	switch (state.name) {
		case "DOWNLOADING": {
			const { release, chunkBytes } = state.offer;
			const writtenBytes = (state.nextChunk ?? 0) * chunkBytes;
			return { stage: state.name, offsetBytes: Math.min(release.sizeBytes, writtenBytes) };
		}
		case "VERIFYING":
		case "WRITING":
		case "REBOOTING":
			return { stage: state.name, offsetBytes: state.release.sizeBytes };
		default:
			return undefined;
	}
}
