// The words of the update machine: its states, what can happen to it, and what it can ask for. Types only; the rules
// are in machine.ts.
import type { FotaError } from "../protocol/error-codes.js";
import type { RollbackOrder } from "../protocol/rollback-order.js";
import type { Ending, RolledBack } from "./bookkeeping.js";
import type { Situation, Trial } from "./boot.js";
import type { Offer } from "./offer.js";
import type { Release } from "./persistent-state.js";

/** The names are those of reports and logs. `failureCount`: polls in a row that ended badly; it sets the back-off. */
export type State =
	| { readonly name: "IDLE"; readonly failureCount: number }
	| {
			readonly name: "CHECKING_MANIFEST";
			readonly asks: "manifest" | "order";
			/** An offer waits until the application is free. */
			readonly isPutOff?: boolean;
			readonly failureCount: number;
	  }
	| {
			readonly name: "DOWNLOADING";
			readonly offer: Offer;
			/** Undefined until the slot is ready. */
			readonly nextChunk: number | undefined;
			readonly stallCount: number;
			readonly failureCount: number;
	  }
	| {
			readonly name: "VERIFYING";
			readonly release: Release;
			readonly failureCount: number;
			/** It was pushed: a wrong hash is its sender's fault, not the release's. */
			readonly isPushed?: boolean;
	  }
	| { readonly name: "WRITING"; readonly release: Release; readonly failureCount: number }
	| { readonly name: "REBOOTING"; readonly release: Release; readonly failureCount: number }
	| {
			readonly name: "BOOT_VERIFICATION";
			readonly trial: Trial;
			/** False once going back failed. */
			readonly hasDeadline: boolean;
	  }
	| {
			readonly name: "ROLLBACK";
			readonly left: RolledBack;
			/** undefined: done, the old firmware runs again. */
			readonly attempt: number | undefined;
			/** Undefined when a confirmed firmware is left. */
			readonly trial: Trial | undefined;
	  }
	| { readonly name: "COMPLETED"; readonly release: Release | undefined }
	| { readonly name: "FAILED"; readonly error: FotaError; readonly failureCount: number };

export type StateName = State["name"];

export type Event =
	| { readonly name: "started"; readonly situation: Situation }
	| { readonly name: "check-due" }
	| { readonly name: "order-announced" }
	/** The server was out of reach for so long that only a restart is left to try. */
	| { readonly name: "unheard" }
	| { readonly name: "offered"; readonly offer: Offer }
	/** A sender on the local network proved its right and its statement was accepted. */
	| { readonly name: "pushed"; readonly offer: Offer }
	| { readonly name: "nothing-offered" }
	/** There is an offer, but the application is busy. */
	| { readonly name: "put-off" }
	| { readonly name: "refused"; readonly error: FotaError }
	| { readonly name: "check-failed"; readonly error: FotaError }
	| { readonly name: "ordered"; readonly order: RollbackOrder; readonly left: RolledBack }
	| { readonly name: "nothing-ordered" }
	| { readonly name: "download-opened"; readonly nextChunk: number }
	| { readonly name: "image-found" }
	| {
			readonly name: "fetch-ended";
			readonly nextChunk: number;
			readonly error: FotaError | undefined;
	  }
	/** Without an error the whole image is in flash; `nextChunk` counts what is. */
	| { readonly name: "push-ended"; readonly error: FotaError | undefined; readonly nextChunk?: number }
	| { readonly name: "pause-over" }
	| { readonly name: "image-verified" }
	| { readonly name: "activated" }
	| { readonly name: "trial-passed" }
	| { readonly name: "trial-failed"; readonly message: string }
	| { readonly name: "confirmed" }
	| { readonly name: "concluded" }
	/** The command under way ended with this error. */
	| { readonly name: "failed"; readonly error: FotaError };

export type Command =
	| {
			readonly name: "wait";
			readonly until: "first-poll" | "poll" | "retry" | "free" | "shed";
			readonly failureCount: number;
			/** Of "shed": as the server said. */
			readonly retryAfterSeconds?: number | undefined;
	  }
	| { readonly name: "check-manifest" }
	| { readonly name: "check-order" }
	| { readonly name: "open-download"; readonly offer: Offer }
	| { readonly name: "fetch"; readonly offer: Offer; readonly first: number }
	/** Lets the sender of a pushed image begin. */
	| { readonly name: "receive"; readonly offer: Offer }
	/** stallCount 0: the pause between two goes of a paced download. */
	| { readonly name: "pause"; readonly stallCount: number }
	| { readonly name: "verify"; readonly release: Release }
	| { readonly name: "activate"; readonly release: Release }
	| { readonly name: "restart"; readonly release: Release }
	| { readonly name: "restart-unheard" }
	| { readonly name: "watch-trial"; readonly hasDeadline: boolean }
	| { readonly name: "confirm" }
	| { readonly name: "roll-back"; readonly left: RolledBack; readonly attempt: number }
	/** Ends a trial that cannot be left, and concludes. */
	| { readonly name: "keep"; readonly ending: Ending }
	| { readonly name: "conclude"; readonly ending: Ending };

export interface Step {
	readonly state: State;
	readonly command: Command | undefined;
}
