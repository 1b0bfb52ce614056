// The closed list of error codes: they travel in reports and in problem details, and a code is never given a new
// meaning. Each says who raises it, whether it is tried again, and what the operator does (docs/protocol.md §10).

export const ERROR_CODES = {
	// Talking to the server
	"network-unavailable":
		"Device: no network or no connection to the server. Tried again with back-off, for ever, and with a restart after a day of it, which is reported when the server is reached. Operator: look at the device's network and the server's address.",
	"network-timeout":
		"Device: a wait on the server ran out (connect, silence, or the whole request). Tried again with back-off. Operator: look at the link and the server's load.",
	"http-malformed":
		"Device: the answer is not HTTP/1.1 within the limits of docs/protocol.md §3. Tried again with back-off; the connection is dropped. Operator: something else answers at the server's address (a captive portal, a proxy).",
	"http-status":
		"Device: the server answered with a status outside the protocol. Tried again with back-off; 429 and 503 with Retry-After after that, and they count as no failure. Operator: read the server's log at that time.",
	"answer-malformed":
		"Device: a JSON answer was malformed, too long, too deep, or had a field outside its limits. Tried again with back-off. Operator: server and firmware speak different versions of the protocol.",
	"answer-unauthenticated":
		"Device: the answer's MAC is missing or wrong: a forged or replayed manifest, order or acknowledgement. Security event; the answer is dropped, tried again with back-off. Operator: the device key differs between device and server, or somebody answers in the server's place.",
	"auth-missing":
		"Server, and a device for a push: no credential in the request. Not tried again by itself. Operator: give a token, or provision the device.",
	"auth-failed":
		"Server, and a device for a push: unknown device or credential, or a wrong MAC. Security event. The device tries again with back-off; a device answers a wrong push later and later. Operator: provision the device again, give fota push the file of this very device, or look for an intruder.",
	"nonce-stale":
		"Server: the request's nonce is not above the last one accepted. The authenticated answer carries the next one; the device takes it and asks again once. Security event when it repeats.",
	forbidden:
		"Server: whoever asks is known, but the role does not allow it. Security event. Not tried again by itself. Operator: ask an admin for the role, or use another token.",
	"password-change-needed":
		"Server: the user has a one-time password and must choose another one (POST /api/auth/password) before anything else.",
	"rate-limited":
		"Server: too many requests or log-in attempts in a short time; Retry-After says for how long. The device comes again after that, and counts no failure. Operator: wait; raise the limit if it meets honest callers.",
	// What is offered
	"signature-invalid":
		"Device and server: the release statement has no valid signature of a trusted release key. Security event; nothing is erased, the release is not tried again until the server offers another statement. Operator: sign with the key that the device trusts.",
	"statement-malformed":
		"Device and server: the release statement is not a well-formed JWS, or a field is outside its limits. As signature-invalid.",
	"manifest-mismatch":
		"Device and server: version, size or hash beside the release statement (of a push: its Content-Length) differ from what was signed. Security event; nothing is erased. Operator: publish the release again, or sign the image that is pushed.",
	"device-type-mismatch":
		"Device and server: the release is for another device type. Nothing is erased. Operator: publish it for the right type.",
	"chip-mismatch":
		"Device and server: the release or the image is for another chip. Nothing is activated. Operator: build for the device's chip.",
	"version-not-newer":
		"Device: the version is not above the running one (semantic version order). Nothing is erased. Operator: raise the version.",
	"version-too-old":
		"Device: the running version is below the release's min_current_version. Nothing is erased. Operator: publish a release in between.",
	"security-downgrade":
		"Device: the release's security_version is below the one this device has reached. Security event; nothing is erased. Operator: build with the current security_version.",
	"image-too-large":
		"Device: the image does not fit the slot. Nothing is erased. Operator: make the image smaller or the slots larger (by cable).",
	"release-known-bad":
		"Device: this release was rolled back here before. Not installed until the operator signs a newer statement for it. Operator: fix it, or sign it anew.",
	"release-unknown":
		"Server: no such release, or it is no longer offered. The device polls again. Operator: nothing, if it was withdrawn on purpose. Device, to a confirmation over the local network: another release runs.",
	// The download
	"chunk-malformed":
		"Device: a chunk frame has the wrong length, or the body ended early or went on too long. The chunk is fetched again, a bounded number of times. Operator: look for a proxy that alters answers.",
	"chunk-mac-mismatch":
		"Device: a chunk's MAC is wrong: tampered, moved, or borrowed. Security event; nothing of it is written, it is fetched again, a bounded number of times. Operator: somebody alters the traffic, or the device key differs.",
	"download-stalled":
		"Device: the bound on tries of one download was reached. The download goes on from the last good chunk at a later poll. Operator: look at the link.",
	// The image in flash
	"hash-mismatch":
		"Device and server: SHA-256 of the image differs from the signed one (read back from flash on the device). Security event; never activated; the download starts again, a bounded number of times.",
	"image-invalid":
		"Device and server: not a valid ESP32 image (magic, segments, checksum, appended hash, description). Never activated; the release is remembered as bad. Operator: upload the right file (the application's .bin).",
	"flash-failed":
		"Device: an erase, program or read of the flash failed. The download starts again at a later poll, a bounded number of times. Operator: replace the device when it repeats.",
	"storage-failed":
		"Device: key-value storage refused a write (full or worn), or was unusable at the start and was erased. The update is put off and tried at a later poll; the running firmware goes on. Operator: erase the nvs partition when it repeats.",
	"activate-failed":
		"Device: the boot partition could not be set. The old firmware runs on; tried again at a later poll.",
	"device-failed":
		"Device: a fault in the update code itself that none of the other codes describes. The update is given up for now and tried at a later poll. Operator: send the serial log to the developers.",
	// Local push
	"challenge-stale":
		"Device: the credential of a push is right, but its challenge was used, is too old, or is from before a restart: a replay, or a slow sender. Security event; nothing is erased. Operator: push again, fota push asks for a new challenge each time.",
	"device-busy":
		"Device: it cannot take a push now: another update is under way, its firmware is on trial, or it is about to restart; the detail says which. Nothing is erased. Operator: push again when that is over.",
	"push-aborted":
		"Device: the sender of an image stalled or broke off in the middle of it. Nothing is activated, the device goes on as before. Operator: look at the link, push again.",
	// Trial and rollback
	"boot-crashed":
		"Device: the new firmware crashed, was reset by a watchdog, or restarted before it was confirmed, on all its trial boots. Rolled back, the release is remembered as bad. Operator: fix the release.",
	"boot-unconfirmed":
		"Device: the new firmware ran, but was not stable, did not pass its checks, or did not reach the server before the deadline. Rolled back, remembered as bad. Operator: read the device's last report.",
	"rollback-requested":
		"Device: the operator asked for the rollback. The release is remembered and not installed again until signed anew.",
	"rollback-impossible":
		"Device: there is no other valid slot to go back to. The running firmware goes on, confirmed if it was on trial. Operator: publish a newer release.",
	"bootloader-without-rollback":
		"Device: a trial boot showed that the bootloader lacks rollback support, so a crashing release would not be undone. Updates are refused until the next restart, which forgets it. Operator: flash the bootloader by cable.",
	// Operator's side
	"request-malformed":
		"Server, and a device for a push: a body, query or header is malformed or outside its limits; the detail says which. Not tried again by itself.",
	"upload-too-large": "Server: the upload exceeds the limit. Nothing is kept. Operator: check the file.",
	"release-exists":
		"Server: this version exists already for this device type with other content. Nothing is changed. Operator: raise the version.",
	"name-taken":
		"Server: a user or token of this name exists already. Nothing is changed. Operator: choose another name.",
	"last-admin":
		"Server: the change would leave no active user with role admin. Nothing is changed. Operator: make another admin first.",
	"device-unknown": "Server: no such device. Operator: provision it first.",
	"device-decommissioned":
		"Server: the device was taken out of service; nothing is changed. Operator: reinstate it first, and give it a new key if the old one may be in other hands.",
	"rollout-conflict":
		"Server: the rollout's state, or that of its release, does not allow this; nothing is changed. Operator: look at the rollout, somebody or its stop rule was first.",
	"not-found": "Server, and a device for a push: no such resource.",
	"server-failed":
		"Server: an unexpected fault, logged with the request's id. Tried again with back-off. Operator: read the server's log.",
	"server-unavailable":
		"Server: stopping, its storage is out of reach, all download places are taken, or a report came behind a later one of the device. The device comes again after what Retry-After says, and counts no failure; without that, with back-off.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export function isErrorCode(text: string): text is ErrorCode {
	return Object.hasOwn(ERROR_CODES, text);
}

/** The one error class: `code` says what happened, `message` adds what was seen, `cause` keeps the original. */
export class FotaError extends Error {
	// A class field: Error.prototype.name is frozen on XS, so an assignment would throw.
	override readonly name = "FotaError";
	readonly code: ErrorCode;
	/** Set where the server was only asked to come again later: no failure, and no sooner than in so many seconds. */
	readonly retryAfterSeconds: number | undefined;

	constructor(code: ErrorCode, message: string, options?: FotaErrorOptions) {
		super(message, options);
		this.code = code;
		this.retryAfterSeconds = options?.retryAfterSeconds;
	}
}

export interface FotaErrorOptions {
	readonly cause?: unknown;
	readonly retryAfterSeconds?: number | undefined;
}

/** Codes that are a security event on the side that raises them. */
export const SECURITY_CODES: readonly ErrorCode[] = [
	"answer-unauthenticated",
	"auth-failed",
	"challenge-stale",
	"signature-invalid",
	"statement-malformed",
	"manifest-mismatch",
	"security-downgrade",
	"chunk-mac-mismatch",
	"hash-mismatch",
];
