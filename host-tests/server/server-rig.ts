// A server in this process with a release key and, where asked, devices and releases. Closed by the test.
import type { LightMyRequestResponse } from "fastify";
import { type App, type AppOptions, createApp } from "../../server/app.js";
import type { ReleaseStatement } from "../../src/protocol/release-statement.js";
import {
	type ImageOptions,
	makeImage,
	makeReleaseKey,
	type ReleaseKey,
	signStatement,
	statementFor,
} from "./release-kit.js";
import { testDatabase } from "./test-database.js";
import { TestDevice } from "./test-device.js";

export const ADMIN_TOKEN = "admin-token-of-the-tests";
export const MASTER_KEY = Buffer.alloc(32, 7);
export const START_MS = 1_750_000_000_000;

export interface PublishOptions extends ImageOptions {
	readonly statement?: Partial<ReleaseStatement>;
	/** Default: the rig's own. */
	readonly key?: ReleaseKey;
}

export interface RigApp {
	readonly app: App;
	/** The server's clock; stands still unless the test moves it. */
	readonly clock: { nowMs: number };
}

/** In memory and silent, the same devices first in every run, unless `options` says otherwise. */
export async function createRigApp(options: AppOptions = {}): Promise<RigApp> {
	const clock = { nowMs: START_MS };
	let rolloutCount = 0;
	const database = await testDatabase(options.dataDirectory);
	const app = await createApp({
		databaseUrl: database.url,
		adminToken: ADMIN_TOKEN,
		masterKey: MASTER_KEY,
		logLevel: "silent",
		// The least that scrypt takes: hundreds of tests log in.
		passwordCostLog2: 1,
		nowMs: () => clock.nowMs,
		newRolloutSeed: () => String(++rolloutCount).padStart(8, "0"),
		...options,
	});
	// Once: a database that is given back twice would be two tests' at a time.
	let closed: Promise<void> | undefined;
	const close = () => {
		closed ??= app.close().then(() => database.remove());
		return closed;
	};
	return { app: { ...app, close }, clock };
}

export class ServerRig {
	readonly app: App;
	readonly clock: { nowMs: number };
	readonly releaseKey: ReleaseKey;

	constructor({ app, clock }: RigApp, releaseKey = makeReleaseKey()) {
		this.app = app;
		this.clock = clock;
		this.releaseKey = releaseKey;
	}

	/** With a release key registered. */
	static async create(options: AppOptions = {}, releaseKey = makeReleaseKey()): Promise<ServerRig> {
		const rig = new ServerRig(await createRigApp(options), releaseKey);
		await rig.registerReleaseKey();
		return rig;
	}

	async registerReleaseKey(): Promise<void> {
		await this.post("/api/cloud/fota/release-keys", { public_key: this.releaseKey.publicKeyHex });
	}

	get server() {
		return this.app.fastify;
	}

	close(): Promise<void> {
		return this.app.close();
	}

	get(url: string): Promise<LightMyRequestResponse> {
		return this.server.inject({ url, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
	}

	post(url: string, payload?: object): Promise<LightMyRequestResponse> {
		return this.server.inject({
			method: "POST",
			url,
			headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
			...(payload === undefined ? {} : { payload }),
		});
	}

	change(method: "PATCH" | "PUT" | "DELETE", url: string, payload?: object): Promise<LightMyRequestResponse> {
		return this.server.inject({
			method,
			url,
			headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
			...(payload === undefined ? {} : { payload }),
		});
	}

	/** Registers a device and returns it with the key the server gave it. */
	async device(deviceId = "dev-1", more: { deviceType?: string; chip?: string; device_key?: string } = {}) {
		const { deviceType = "thermostat", ...rest } = more;
		const answer = await this.post("/api/cloud/fota/devices", {
			device_id: deviceId,
			device_type: deviceType,
			...rest,
		});
		return new TestDevice({ deviceId, deviceType, keyHex: answer.json().device_key });
	}

	/** Uploads as bytes. */
	async upload(image: Uint8Array, release: string, query = ""): Promise<LightMyRequestResponse> {
		return this.server.inject({
			method: "POST",
			url: `/api/cloud/fota/upload${query}`,
			headers: {
				authorization: `Bearer ${ADMIN_TOKEN}`,
				"content-type": "application/octet-stream",
				"fota-release": release,
			},
			payload: Buffer.from(image),
		});
	}

	/** Makes an image, signs a statement and uploads both; returns the image. */
	async publish(options: PublishOptions = {}): Promise<Uint8Array> {
		const image = makeImage(options);
		const { version = "1.1.0", chip = "esp32" } = options;
		const statement = statementFor(image, { version, chip, ...options.statement });
		const answer = await this.upload(image, signStatement(statement, options.key ?? this.releaseKey));
		if (answer.statusCode >= 300) throw new Error(`upload: ${answer.statusCode} ${answer.body}`);
		return image;
	}

	/** Types of the events in a log, the oldest first. */
	async eventTypes(log: "fota" | "security", query = ""): Promise<string[]> {
		const answer = await this.get(`/api/cloud/logs/${log}?limit=500${query}`);
		return answer.json().events.map((event: { type: string }) => event.type);
	}
}

/** What a problem answer says, for comparing: status and code. */
export function problemOf(response: LightMyRequestResponse): string {
	return `${response.statusCode} ${response.json().code}`;
}
