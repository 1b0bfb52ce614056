import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import { ROLLBACK_ATTEMPTS_MAX, STALLS_MAX, step } from "../../src/update/machine.js";
import type { Release } from "../../src/update/persistent-state.js";
import type { Event, State } from "../../src/update/states.js";

const RELEASE: Release = {
	version: "1.1.0",
	hash: "a".repeat(64),
	sizeBytes: 40_960,
	securityVersion: 0,
	releasedAt: 1,
};
/** Ten chunks. */
const OFFER = { release: RELEASE, chunkBytes: 4096 };
const PUSH = { release: RELEASE, chunkBytes: 4096, isPushed: true };
const LEFT = {
	version: "1.1.0",
	hash: RELEASE.hash,
	releasedAt: 1,
	code: "rollback-requested",
	message: "m",
	orderId: 3,
} as const;
const TRIAL = { version: "1.1.0", release: RELEASE };
const ERROR = new FotaError("network-timeout", "m");
const SHED = new FotaError("server-unavailable", "m", { retryAfterSeconds: 60 });
const FLASH = new FotaError("flash-failed", "m");

const STATES: Record<string, State> = {
	IDLE: { name: "IDLE", failureCount: 2 },
	"CHECKING_MANIFEST manifest": { name: "CHECKING_MANIFEST", asks: "manifest", failureCount: 2 },
	"CHECKING_MANIFEST order": { name: "CHECKING_MANIFEST", asks: "order", failureCount: 2 },
	"CHECKING_MANIFEST busy": { name: "CHECKING_MANIFEST", asks: "order", isPutOff: true, failureCount: 2 },
	"DOWNLOADING opening": {
		name: "DOWNLOADING",
		offer: OFFER,
		nextChunk: undefined,
		stallCount: 0,
		failureCount: 2,
	},
	"DOWNLOADING open": { name: "DOWNLOADING", offer: OFFER, nextChunk: 4, stallCount: 1, failureCount: 2 },
	"DOWNLOADING pushed": { name: "DOWNLOADING", offer: PUSH, nextChunk: 0, stallCount: 0, failureCount: 2 },
	VERIFYING: { name: "VERIFYING", release: RELEASE, failureCount: 2 },
	WRITING: { name: "WRITING", release: RELEASE, failureCount: 2 },
	REBOOTING: { name: "REBOOTING", release: RELEASE, failureCount: 2 },
	BOOT_VERIFICATION: { name: "BOOT_VERIFICATION", trial: TRIAL, hasDeadline: true },
	"ROLLBACK under way": { name: "ROLLBACK", left: LEFT, attempt: 1, trial: undefined },
	"ROLLBACK done": { name: "ROLLBACK", left: LEFT, attempt: undefined, trial: undefined },
	COMPLETED: { name: "COMPLETED", release: RELEASE },
	FAILED: { name: "FAILED", error: ERROR, failureCount: 2 },
};

const EVENTS: Record<string, Event> = {
	started: { name: "started", situation: { kind: "idle" } },
	"check-due": { name: "check-due" },
	"order-announced": { name: "order-announced" },
	unheard: { name: "unheard" },
	offered: { name: "offered", offer: OFFER },
	pushed: { name: "pushed", offer: PUSH },
	"nothing-offered": { name: "nothing-offered" },
	"put-off": { name: "put-off" },
	refused: { name: "refused", error: ERROR },
	"check-failed": { name: "check-failed", error: ERROR },
	"check shed": { name: "check-failed", error: SHED },
	"fetch shed": { name: "fetch-ended", nextChunk: 4, error: SHED },
	"last fetch shed": { name: "fetch-ended", nextChunk: 10, error: SHED },
	ordered: { name: "ordered", order: { orderId: 3, reason: "m" }, left: LEFT },
	"nothing-ordered": { name: "nothing-ordered" },
	"download-opened": { name: "download-opened", nextChunk: 4 },
	"image-found": { name: "image-found" },
	"fetched on": { name: "fetch-ended", nextChunk: 7, error: undefined },
	"fetched all": { name: "fetch-ended", nextChunk: 10, error: undefined },
	"fetched nothing": { name: "fetch-ended", nextChunk: 4, error: ERROR },
	"fetched into bad flash": { name: "fetch-ended", nextChunk: 7, error: FLASH },
	"pushed whole": { name: "push-ended", error: undefined },
	"push broken off": { name: "push-ended", error: new FotaError("push-aborted", "m") },
	"pause-over": { name: "pause-over" },
	"image-verified": { name: "image-verified" },
	activated: { name: "activated" },
	"trial-passed": { name: "trial-passed" },
	"trial-failed": { name: "trial-failed", message: "m" },
	confirmed: { name: "confirmed" },
	concluded: { name: "concluded" },
	failed: { name: "failed", error: ERROR },
};

/** Every cell that is not here: nothing changes, nothing is asked for. */
const TABLE: Record<string, Record<string, string>> = {
	IDLE: {
		started: "IDLE: wait first-poll",
		"check-due": "CHECKING_MANIFEST: check-manifest",
		"order-announced": "CHECKING_MANIFEST: check-order",
		unheard: "IDLE: restart-unheard",
		pushed: "DOWNLOADING: open-download",
		failed: "FAILED: conclude failed",
	},
	"CHECKING_MANIFEST manifest": {
		offered: "DOWNLOADING: open-download",
		pushed: "DOWNLOADING: open-download",
		"nothing-offered": "CHECKING_MANIFEST: check-order",
		"put-off": "CHECKING_MANIFEST: check-order",
		refused: "CHECKING_MANIFEST: check-order",
		"check-failed": "IDLE: wait retry 3",
		"check shed": "IDLE: wait shed",
		ordered: "ROLLBACK: roll-back",
		"nothing-ordered": "IDLE: wait poll",
		failed: "FAILED: conclude failed",
	},
	"CHECKING_MANIFEST order": {
		offered: "DOWNLOADING: open-download",
		pushed: "DOWNLOADING: open-download",
		"nothing-offered": "CHECKING_MANIFEST: check-order",
		"put-off": "CHECKING_MANIFEST: check-order",
		refused: "CHECKING_MANIFEST: check-order",
		"check-failed": "IDLE: wait retry 3",
		"check shed": "IDLE: wait shed",
		ordered: "ROLLBACK: roll-back",
		"nothing-ordered": "IDLE: wait poll",
		failed: "FAILED: conclude failed",
	},
	"CHECKING_MANIFEST busy": {
		offered: "DOWNLOADING: open-download",
		pushed: "DOWNLOADING: open-download",
		"nothing-offered": "CHECKING_MANIFEST: check-order",
		"put-off": "CHECKING_MANIFEST: check-order",
		refused: "CHECKING_MANIFEST: check-order",
		"check-failed": "IDLE: wait retry 3",
		"check shed": "IDLE: wait shed",
		ordered: "ROLLBACK: roll-back",
		"nothing-ordered": "IDLE: wait free",
		failed: "FAILED: conclude failed",
	},
	"DOWNLOADING opening": {
		"download-opened": "DOWNLOADING: fetch 4",
		"image-found": "VERIFYING: verify",
		"fetched on": "DOWNLOADING: pause 0",
		"fetched all": "VERIFYING: verify",
		"fetched nothing": "DOWNLOADING: pause 1",
		"fetched into bad flash": "FAILED: conclude failed",
		"fetch shed": "IDLE: wait shed",
		"last fetch shed": "VERIFYING: verify",
		failed: "FAILED: conclude failed",
	},
	"DOWNLOADING open": {
		"download-opened": "DOWNLOADING: fetch 4",
		"image-found": "VERIFYING: verify",
		"fetched on": "DOWNLOADING: pause 0",
		"fetched all": "VERIFYING: verify",
		"fetched nothing": "DOWNLOADING: pause 2",
		"fetched into bad flash": "FAILED: conclude failed",
		"fetch shed": "IDLE: wait shed",
		"last fetch shed": "VERIFYING: verify",
		"pause-over": "DOWNLOADING: fetch 4",
		failed: "FAILED: conclude failed",
	},
	"DOWNLOADING pushed": {
		"download-opened": "DOWNLOADING: receive",
		"pushed whole": "VERIFYING: verify",
		"push broken off": "FAILED: conclude failed",
		failed: "FAILED: conclude failed",
	},
	VERIFYING: { "image-verified": "WRITING: activate", failed: "FAILED: conclude failed" },
	WRITING: { activated: "REBOOTING: restart", failed: "FAILED: conclude failed" },
	REBOOTING: { failed: "FAILED: conclude failed" },
	BOOT_VERIFICATION: {
		"trial-passed": "BOOT_VERIFICATION: confirm",
		"trial-failed": "ROLLBACK: roll-back",
		confirmed: "COMPLETED: conclude completed",
		concluded: "BOOT_VERIFICATION: watch-trial",
		failed: "BOOT_VERIFICATION: watch-trial",
	},
	"ROLLBACK under way": { failed: "ROLLBACK: roll-back" },
	"ROLLBACK done": { concluded: "IDLE: wait first-poll", failed: "IDLE: wait first-poll" },
	COMPLETED: { concluded: "IDLE: wait first-poll", failed: "IDLE: wait first-poll" },
	FAILED: { concluded: "IDLE: wait retry 3", failed: "IDLE: wait retry 3" },
};

function shown(state: State, event: Event): string {
	const { state: next, command } = step(state, event);
	if (command === undefined) {
		expect(next).toBe(state);
		return "nothing";
	}
	const details: Record<string, unknown> = { ...command };
	const parts = [next.name, ": ", command.name];
	if (command.name === "wait") parts.push(` ${command.until}`);
	if (command.name === "wait" && command.until === "retry") parts.push(` ${command.failureCount}`);
	if (command.name === "fetch") parts.push(` ${details.first}`);
	if (command.name === "pause") parts.push(` ${command.stallCount}`);
	if (command.name === "conclude" || command.name === "keep") parts.push(` ${command.ending.kind}`);
	return parts.join("");
}

describe("step", () => {
	for (const [stateName, state] of Object.entries(STATES)) {
		for (const [eventName, event] of Object.entries(EVENTS)) {
			const wanted = TABLE[stateName]?.[eventName] ?? "nothing";
			it(`in ${stateName} answers ${eventName} with ${wanted}`, () => {
				expect(shown(state, event)).toBe(wanted);
			});
		}
	}

	it.each([
		["idle", { kind: "idle" }, "IDLE: wait first-poll"],
		["a trial", { kind: "trial", trial: TRIAL }, "BOOT_VERIFICATION: watch-trial"],
		["a confirmation cut short", { kind: "completed", release: RELEASE }, "COMPLETED: conclude completed"],
		["an activation cut short", { kind: "reactivate", release: RELEASE }, "VERIFYING: verify"],
		["a rollback", { kind: "rolled-back", left: LEFT }, "ROLLBACK: conclude rolled-back"],
		["a failure", { kind: "failed", release: RELEASE, error: ERROR }, "FAILED: conclude failed"],
		["a rollback cut short", { kind: "roll-back", left: LEFT, trial: TRIAL }, "ROLLBACK: roll-back"],
		[
			"a rollback that never worked",
			{ kind: "rollback-exhausted", left: LEFT, trial: undefined },
			"FAILED: conclude rollback-failed",
		],
		[
			"a rollback that never worked, on trial",
			{ kind: "rollback-exhausted", left: LEFT, trial: TRIAL },
			"FAILED: keep rollback-failed",
		],
	] as const)("starts from %s", (_what, situation, wanted) => {
		expect(shown({ name: "IDLE", failureCount: 0 }, { name: "started", situation })).toBe(wanted);
	});

	it("remembers through the verification that an image was pushed", () => {
		const { state } = step(STATES["DOWNLOADING pushed"] as State, EVENTS["pushed whole"] as Event);
		expect(state).toMatchObject({ name: "VERIFYING", isPushed: true });
		const { command } = step(state, { name: "failed", error: new FotaError("hash-mismatch", "m") });
		expect(command).toMatchObject({ ending: { kind: "failed", isPushed: true } });
	});

	it("passes on when the server asked to come again, and how often it did", () => {
		for (const name of ["CHECKING_MANIFEST manifest", "CHECKING_MANIFEST order"]) {
			const { state, command } = step(STATES[name] as State, EVENTS["check shed"] as Event);
			expect(state).toEqual({ name: "IDLE", failureCount: 3 });
			expect(command).toMatchObject({ until: "shed", retryAfterSeconds: 60, failureCount: 3 });
		}
	});

	it("puts a download off after a bounded number of requests without a chunk", () => {
		let state = STATES["DOWNLOADING open"] as State;
		let count = 0;
		while (state.name === "DOWNLOADING" && count < 100) {
			state = step(state, { name: "fetch-ended", nextChunk: 4, error: ERROR }).state;
			count++;
		}
		expect(count).toBe(STALLS_MAX);
		expect(state).toMatchObject({ name: "FAILED", error: { code: "download-stalled" } });
	});

	it("forgets stalls and failures with every chunk that comes", () => {
		const { state } = step(STATES["DOWNLOADING open"] as State, {
			name: "fetch-ended",
			nextChunk: 5,
			error: undefined,
		});
		expect(state).toMatchObject({ stallCount: 0, failureCount: 0 });
	});

	it("tries a rollback a bounded number of times", () => {
		let state = STATES["ROLLBACK under way"] as State;
		let count = 0;
		while (state.name === "ROLLBACK" && count < 100) {
			state = step(state, { name: "failed", error: FLASH }).state;
			count++;
		}
		expect(count).toBe(ROLLBACK_ATTEMPTS_MAX);
		expect(state.name).toBe("FAILED");
	});

	it("does not try an impossible rollback twice, and keeps the firmware that was on trial", () => {
		const error = new FotaError("rollback-impossible", "m");
		const { state, command } = step(
			{ name: "ROLLBACK", left: LEFT, attempt: 1, trial: TRIAL },
			{ name: "failed", error },
		);
		expect(state).toEqual({ name: "FAILED", error, failureCount: 0 });
		expect(command).toMatchObject({ name: "keep", ending: { kind: "rollback-failed", orderId: 3 } });
	});

	it("goes on watching the trial without a deadline where the way back is there but fails", () => {
		const { state, command } = step(
			{ name: "ROLLBACK", left: LEFT, attempt: ROLLBACK_ATTEMPTS_MAX, trial: TRIAL },
			{ name: "failed", error: FLASH },
		);
		expect(state).toEqual({ name: "BOOT_VERIFICATION", trial: TRIAL, hasDeadline: false });
		expect(command).toMatchObject({ name: "conclude", ending: { kind: "rollback-failed" } });
	});
});
