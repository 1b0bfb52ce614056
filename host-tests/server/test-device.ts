// A device as the server sees it, on Node's crypto: makes the MACs of its requests and checks those of the answers.
// Written from docs/protocol.md §3, not from the server.
import { createHmac, hkdfSync } from "node:crypto";
import type { InjectOptions, LightMyRequestResponse } from "fastify";
import type { Server } from "../../server/services.js";
import { encodeStatusReport, type StatusReport } from "../../src/protocol/status-report.js";
import { sha256 } from "./release-kit.js";

export interface DeviceCall {
	readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
	readonly body?: string | Uint8Array | undefined;
	readonly headers?: Readonly<Record<string, string>>;
	/** Default: the next one. */
	readonly nonce?: number | undefined;
	/** What is MACed instead of what is sent. */
	readonly macTarget?: string;
	readonly macBody?: string;
}

export interface TestDeviceOptions {
	readonly deviceId: string;
	readonly keyHex: string;
	readonly deviceType?: string;
	readonly chip?: StatusReport["chip"];
}

export class TestDevice {
	readonly deviceId: string;
	readonly key: Buffer;
	readonly deviceType: string;
	readonly chip: StatusReport["chip"];
	nonce = 0;

	constructor(options: TestDeviceOptions) {
		this.deviceId = options.deviceId;
		this.key = Buffer.from(options.keyHex, "hex");
		this.deviceType = options.deviceType ?? "thermostat";
		this.chip = options.chip ?? "esp32";
	}

	/** The Authorization header of a request. */
	authorization(target: string, call: DeviceCall = {}): string {
		const nonce = call.nonce ?? ++this.nonce;
		const method = call.method ?? "GET";
		const text = `FOTA-REQUEST-1\n${method}\n${call.macTarget ?? target}\n${nonce}\n${sha256(call.macBody ?? call.body ?? "")}`;
		const mac = this.#mac("request", text);
		return `FOTA-HMAC-SHA256 device="${this.deviceId}", nonce="${nonce}", mac="${mac}"`;
	}

	async send(server: Server, target: string, call: DeviceCall = {}): Promise<LightMyRequestResponse> {
		const request: InjectOptions = {
			method: call.method ?? "GET",
			url: target,
			headers: { authorization: this.authorization(target, call), ...call.headers },
		};
		if (call.body !== undefined)
			request.payload = typeof call.body === "string" ? call.body : Buffer.from(call.body);
		return server.inject(request);
	}

	/** True if the answer carries the right MAC for a request with this nonce. */
	hasRightMac(response: LightMyRequestResponse, nonce = this.nonce): boolean {
		const text = `FOTA-RESPONSE-1\n${nonce}\n${response.statusCode}\n${sha256(response.rawPayload)}`;
		return response.headers["fota-mac"] === this.#mac("response", text);
	}

	chunkKey(imageHash: string): Buffer {
		return this.#derive(Buffer.concat([Buffer.from("chunk"), Buffer.from(imageHash, "hex")]));
	}

	manifestTarget(version = "1.0.0", more = ""): string {
		return `/api/inverter/fota/manifest?device_type=${this.deviceType}&chip=${this.chip}&version=${version}&chunk_size=4096${more}`;
	}

	manifest(server: Server, version = "1.0.0"): Promise<LightMyRequestResponse> {
		return this.send(server, this.manifestTarget(version));
	}

	report(server: Server, changes: Partial<StatusReport> = {}): Promise<LightMyRequestResponse> {
		const body = encodeStatusReport({ ...this.idleReport(), ...changes });
		return this.send(server, "/api/inverter/fota/status", { method: "POST", body });
	}

	idleReport(): StatusReport {
		return {
			state: "IDLE",
			bootStatus: "normal",
			deviceType: this.deviceType,
			chip: this.chip,
			version: "1.0.0",
			slot: "ota_0",
			resetReason: "poweron",
			uptimeSeconds: 10,
		};
	}

	#mac(label: string, text: string): string {
		return createHmac("sha256", this.#derive(Buffer.from(label)))
			.update(text)
			.digest("hex");
	}

	#derive(info: Uint8Array): Buffer {
		return Buffer.from(hkdfSync("sha256", this.key, "fota derived key 1", info, 32));
	}
}
