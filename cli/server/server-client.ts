// The update server's operator interface as functions (docs/protocol.md §4, §7, §8). Called by the commands, the demo
// and tests. It must not know argv nor how anything is shown.
import { FotaError } from "../../src/protocol/error-codes.js";
import { type JsonFields, parseJsonObject } from "../../src/protocol/json.js";
import type { Chip } from "../../src/protocol/release-statement.js";
import { CliError, EXIT_CODES } from "../cli-error.js";
import { callServer, type HttpCall } from "./http-call.js";

const CLOUD = "/api/cloud";
const DEVICES = "/api/devices";
const ANSWER_MAX_BYTES = 4 * 1024 * 1024;
/** What the server gives at a time. */
export const PAGE_SIZE = 500;
const RELEASE_KEYS_MAX = 10_000;
const TEXT_MAX_CHARS = 1000;

export interface ServerOptions {
	readonly url: URL;
	readonly token: string;
}

export interface UploadOptions {
	readonly image: Uint8Array;
	/** Compact JWS. */
	readonly release: string;
	readonly description?: string | undefined;
	readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

export interface UploadAnswer {
	/** By which rollouts name it. */
	readonly releaseId: number;
	readonly outcome: string;
	readonly deviceType: string;
	readonly version: string;
	readonly chip: string;
}

export interface DeviceRegistration {
	readonly deviceId: string;
	readonly deviceType: string;
	readonly chip?: Chip | undefined;
	/** An existing key, 64 hex digits. Default: the server derives one. */
	readonly deviceKeyHex?: string | undefined;
}

/** What a device reported last; fields it has not reported are undefined. */
export interface DeviceStatus {
	readonly deviceId: string;
	readonly deviceType: string;
	readonly state: string | undefined;
	readonly bootStatus: string | undefined;
	readonly version: string | undefined;
	readonly slot: string | undefined;
	readonly resetReason: string | undefined;
	readonly targetVersion: string | undefined;
	readonly progress: number | undefined;
	readonly isRolledBack: boolean;
	readonly lastSeen: string | undefined;
	readonly lastError: { readonly code: string; readonly message: string } | undefined;
}

export interface LogEvent {
	readonly id: number;
	readonly time: string;
	readonly deviceId: string | undefined;
	readonly type: string;
	readonly details: Readonly<Record<string, unknown>>;
}

export interface LogQuery {
	readonly log: "fota" | "security";
	readonly deviceId?: string | undefined;
	readonly type?: string | undefined;
	/** Events behind this id, oldest first. Default: the newest ones. */
	readonly after?: number | undefined;
	readonly limit?: number | undefined;
}

export class ServerClient {
	readonly #options: ServerOptions;

	constructor(options: ServerOptions) {
		this.#options = options;
	}

	/** The registered public keys, 130 hex digits each. Every role may ask. */
	async releaseKeys(): Promise<string[]> {
		const answer = await this.#call("GET", `${CLOUD}/fota/release-keys`, {});
		return answer.objects("release_keys", RELEASE_KEYS_MAX).map((key) => key.string("public_key", 130));
	}

	/** What the token may do. */
	async role(): Promise<string> {
		return (await this.#call("GET", "/api/auth/me", {})).string("role", 40);
	}

	/** Role admin. Registering a key again changes nothing. */
	async registerReleaseKey(publicKeyHex: string): Promise<void> {
		await this.#call("POST", `${CLOUD}/fota/release-keys`, { json: { public_key: publicKeyHex } });
	}

	/** Role operator. */
	async publish(options: UploadOptions): Promise<UploadAnswer> {
		const answer = await this.#call("POST", `${CLOUD}/fota/upload`, {
			query: { description: options.description },
			body: options.image,
			headers: { "content-type": "application/octet-stream", "fota-release": options.release },
			onProgress: options.onProgress,
		});
		return {
			releaseId: answer.integer("release_id", 1, Number.MAX_SAFE_INTEGER),
			outcome: answer.string("outcome", 40),
			deviceType: answer.string("device_type", 40),
			version: answer.string("version", 40),
			chip: answer.string("chip", 40),
		};
	}

	/** Returns the device's key: 64 hex digits. */
	async registerDevice(device: DeviceRegistration): Promise<string> {
		const answer = await this.#call("POST", `${CLOUD}/fota/devices`, {
			json: {
				device_id: device.deviceId,
				device_type: device.deviceType,
				chip: device.chip,
				device_key: device.deviceKeyHex,
			},
		});
		return answer.string("device_key", 64, /^[0-9a-f]{64}$/);
	}

	async status(deviceId: string): Promise<DeviceStatus> {
		return parseStatus(await this.#call("GET", `${CLOUD}/fota/status`, { query: { device_id: deviceId } }));
	}

	async statuses(): Promise<DeviceStatus[]> {
		const all: DeviceStatus[] = [];
		for (;;) {
			const query = { limit: PAGE_SIZE, after: all.at(-1)?.deviceId };
			const page = (await this.#call("GET", `${CLOUD}/fota/status`, { query })).objects("devices", PAGE_SIZE);
			all.push(...page.map(parseStatus));
			if (page.length < PAGE_SIZE) return all;
		}
	}

	/** Ids of the devices that were taken out of service. */
	async decommissioned(): Promise<Set<string>> {
		const all: string[] = [];
		for (;;) {
			const query = { state: "decommissioned", limit: PAGE_SIZE, after: all.at(-1) };
			const page = (await this.#call("GET", DEVICES, { query })).objects("devices", PAGE_SIZE);
			all.push(...page.map((device) => device.string("device_id", 40)));
			if (page.length < PAGE_SIZE) return new Set(all);
		}
	}

	async isDecommissioned(deviceId: string): Promise<boolean> {
		const device = await this.#call("GET", `${DEVICES}/${deviceId}`, {});
		return device.string("state", 40) === "decommissioned";
	}

	/** Returns the order's number. */
	async orderRollback(deviceId: string, reason: string): Promise<number> {
		const answer = await this.#call("POST", `${CLOUD}/fota/rollback`, {
			json: { device_id: deviceId, reason },
		});
		return answer.integer("order_id", 1, Number.MAX_SAFE_INTEGER);
	}

	/** Oldest first. */
	async events(query: LogQuery): Promise<LogEvent[]> {
		const { log, deviceId, ...rest } = query;
		const body = await this.#send("GET", `${CLOUD}/logs/${log}`, { query: { device_id: deviceId, ...rest } });
		const fields = parseAnswer(body).objects("events", PAGE_SIZE);
		const { events } = JSON.parse(body.toString()) as { events: { details: Record<string, unknown> }[] };
		return fields.map((event, index) => ({
			id: event.integer("id", 1, Number.MAX_SAFE_INTEGER),
			time: event.string("time", 40),
			deviceId: event.optionalString("device_id", 40),
			type: event.string("type", 60),
			details: events[index]?.details ?? {},
		}));
	}

	async #call(method: HttpCall["method"], path: string, options: CallOptions): Promise<JsonFields> {
		return parseAnswer(await this.#send(method, path, options));
	}

	async #send(method: HttpCall["method"], path: string, options: CallOptions): Promise<Buffer> {
		const url = new URL(path, this.#options.url);
		for (const [name, value] of Object.entries(options.query ?? {}))
			if (value !== undefined) url.searchParams.set(name, String(value));
		const type: Record<string, string> = options.json ? { "content-type": "application/json" } : {};
		const { body } = await callServer({
			method,
			url,
			headers: { authorization: `Bearer ${this.#options.token}`, ...type, ...options.headers },
			body: options.json ? Buffer.from(JSON.stringify(options.json)) : options.body,
			onProgress: options.onProgress,
		});
		return body;
	}
}

interface CallOptions {
	readonly query?: Readonly<Record<string, string | number | undefined>>;
	readonly json?: unknown;
	readonly body?: Uint8Array;
	readonly headers?: Readonly<Record<string, string>>;
	readonly onProgress?: HttpCall["onProgress"];
}

function parseAnswer(body: Uint8Array): JsonFields {
	try {
		return parseJsonObject(body, { maxBytes: ANSWER_MAX_BYTES, code: "answer-malformed" });
	} catch (cause) {
		if (!(cause instanceof FotaError)) throw cause;
		throw new CliError(`the server's answer was not understood: ${cause.message}`, {
			hint: "Are the command line and the server of the same version?",
			exitCode: EXIT_CODES.unreachable,
			cause,
		});
	}
}

function parseStatus(fields: JsonFields): DeviceStatus {
	const error = fields.optionalObject("last_error");
	return {
		deviceId: fields.string("device_id", 40),
		deviceType: fields.string("device_type", 40),
		state: fields.optionalString("fota_state", 40),
		bootStatus: fields.optionalString("boot_status", 40),
		version: fields.optionalString("version", 40),
		slot: fields.optionalString("slot", 40),
		resetReason: fields.optionalString("reset_reason", 40),
		targetVersion: fields.optionalString("target_version", 40),
		progress: fields.optionalInteger("progress", 0, 100),
		isRolledBack: fields.optionalBoolean("rollback") ?? false,
		lastSeen: fields.optionalString("last_seen", 40),
		lastError: error && {
			code: error.string("error_code", 40),
			message: error.optionalString("error", TEXT_MAX_CHARS) ?? "",
		},
	};
}
