// The world around a device whose Cloud is under contract: a real server, a gate on the way to it that can be shut, and a
// switchboard on which the device asks the world for what happens next. Opened by cloud-contract.test.ts. It must not know
// what the cases do with it.
import { createHmac, hkdfSync } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ServerClient } from "../../cli/server/server-client.js";
import { type App, createApp } from "../../server/app.js";
import { CONTRACT_CHUNK_BYTES, CONTRACT_DEVICE, CONTRACT_IMAGE_BYTES } from "../contracts/cloud-calls.js";
import { makeImage, makeReleaseKey, sha256, signStatement, statementFor } from "../server/release-kit.js";
import { ServerGate } from "./server-gate.js";

export const DEVICE_ID = "dev-1";
export const DEVICE_KEY: Buffer = Buffer.alloc(32, 9);
const VERSION = "1.1.0";

const key = makeReleaseKey();
const image = makeImage({ version: VERSION, chip: CONTRACT_DEVICE.chip, sizeBytes: CONTRACT_IMAGE_BYTES });
const statement = statementFor(image, { ...CONTRACT_DEVICE, version: VERSION });

/** What the server offers when it is asked to, as the device's side of the contract takes it. */
export const RELEASE = {
	version: VERSION,
	hash: sha256(image),
	/** With spaces, to be taken apart: XS walks a string from its beginning to each character that is asked for. */
	imageHex: Buffer.from(image)
		.toString("hex")
		.replace(/.{64}(?=.)/g, "$& "),
	statement: signStatement(statement, key),
	macsHex: macsOf(image),
} as const;

/** From docs/protocol.md §3.1 and §6, by Node: neither server nor device is compared with itself. */
function macsOf(bytes: Uint8Array): string[] {
	const info = Buffer.concat([Buffer.from("chunk"), Buffer.from(sha256(bytes), "hex")]);
	const chunkKey = Buffer.from(hkdfSync("sha256", DEVICE_KEY, "fota derived key 1", info, 32));
	const macs: string[] = [];
	for (let start = 0; start < bytes.length; start += CONTRACT_CHUNK_BYTES) {
		const data = bytes.subarray(start, start + CONTRACT_CHUNK_BYTES);
		const prefix = Buffer.alloc(8);
		prefix.writeUInt32BE(macs.length, 0);
		prefix.writeUInt32BE(data.length, 4);
		macs.push(createHmac("sha256", chunkKey).update(prefix).update(data).digest("hex"));
	}
	return macs;
}

export class CloudWorld {
	readonly #gate: ServerGate;
	readonly #switchboard: Server;
	#app: App | undefined;
	#client: ServerClient | undefined;

	static async open(): Promise<CloudWorld> {
		const world = new CloudWorld(await ServerGate.open());
		await new Promise<void>((resolve) => world.#switchboard.listen(0, "127.0.0.1", resolve));
		return world;
	}

	private constructor(gate: ServerGate) {
		this.#gate = gate;
		this.#switchboard = createServer((request, answer) => {
			this.#do(new URL(request.url ?? "/", "http://switchboard")).then(
				(result) => answer.end(JSON.stringify({ value: result ?? null })),
				(error) => answer.end(JSON.stringify({ error: String(error) })),
			);
		});
	}

	/** Where the device finds its server. */
	get port(): number {
		return this.#gate.port;
	}

	get switchboardPort(): number {
		return (this.#switchboard.address() as AddressInfo).port;
	}

	/** A server that knows the device and the release key and nothing else, and an open gate. */
	async renew(): Promise<void> {
		await this.#app?.close();
		this.#app = await createApp({ logLevel: "silent", stopTimeoutMs: 500 });
		const url = new URL(await this.#app.listen());
		this.#client = new ServerClient({ url, token: this.#app.adminToken });
		await this.#client.registerReleaseKey(key.publicKeyHex);
		const device = { deviceId: DEVICE_ID, ...CONTRACT_DEVICE, deviceKeyHex: DEVICE_KEY.toString("hex") };
		await this.#client.registerDevice(device);
		await this.#gate.leadTo(Number(url.port));
	}

	async #do({ pathname, searchParams }: URL): Promise<unknown> {
		const client = this.#client;
		if (client === undefined) throw new Error("no server");
		switch (pathname) {
			case "/offer":
				return void (await client.publish({ image, release: RELEASE.statement }));
			case "/order":
				return client.orderRollback(DEVICE_ID, searchParams.get("reason") ?? "");
			case "/last-reset-reason":
				return (await client.status(DEVICE_ID)).resetReason;
			case "/go-away":
				return this.#gate.shut(Number(searchParams.get("after")));
			case "/come-back":
				return this.#gate.openAgain();
			default:
				throw new Error(`nobody does ${pathname}`);
		}
	}

	async close(): Promise<void> {
		this.#gate.close();
		this.#switchboard.closeAllConnections();
		this.#switchboard.close();
		await this.#app?.close();
	}
}
