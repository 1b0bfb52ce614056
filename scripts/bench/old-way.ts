// The update in the way of the deployed system that this product replaces, as an entry module for the simulator: JSON,
// base64, 16 KiB chunks, one request a chunk, a pause between, progress stored after each. Only `npm run bench` runs it,
// for comparison; HTTP client and natives are the product's own, so what differs is the way.

import keyValue from "embedded:storage/key-value";
import { IdentityStore } from "adapters/identity-store";
import { SerialLog } from "adapters/serial-log";
import { TcpHttpClient } from "adapters/tcp-http-client";
import { HmacSha256, Sha256 } from "native/fota-crypto";
import { FotaFlash } from "native/fota-flash";
import { FotaSockets } from "native/fota-sockets";
import { FotaSystem } from "native/fota-system";
import { base64urlDecode, hexDecode, hexEncode, utf8Decode } from "protocol/encoding";
import Timer from "timer";

const CHUNK_BYTES = 16_384;
const BODY_MAX_BYTES = 32_768;
/** The old device fetched a chunk in each of its communication intervals: 66 requests in about two minutes. */
const PAUSE_MS = 1800;
const START_MS = 2000;

interface Manifest {
	readonly size: number;
	readonly hash: string;
	readonly total_chunks: number;
}

interface Chunk {
	readonly chunk_number: number;
	readonly data: string;
	readonly mac: string;
}

export default function main(): void {
	const system = new FotaSystem();
	const clock = { nowMs: () => system.uptimeMs() };
	const log = new SerialLog({ system, clock });
	const flash = new FotaFlash();
	const identity = new IdentityStore({ flash, log }).read();
	if (identity === undefined) throw new Error("no identity");
	const { deviceId, deviceType, server } = identity;
	const sockets = new FotaSockets();
	const storage = keyValue.open({ path: "old", format: "string" });
	const mac = new HmacSha256(identity.deviceKey);
	const slot = flash.next();
	let manifest: Manifest | undefined;
	let next = 0;

	function ask(path: string, done: (answer: unknown) => void): void {
		// The old device opened a connection for each request.
		const http = new TcpHttpClient({
			stack: { sockets },
			server: { address: server.host, port: server.port },
			timer: Timer,
			host: `${server.host}:${server.port}`,
		});
		const body = new Uint8Array(BODY_MAX_BYTES);
		let length = 0;
		let status = 0;
		http.request({
			method: "GET",
			path,
			headers: [
				{ name: "Device-ID", value: deviceId },
				{ name: "Accept", value: "application/json" },
			],
			maxBodyBytes: BODY_MAX_BYTES,
			connectTimeoutMs: 10_000,
			idleTimeoutMs: 15_000,
			totalTimeoutMs: 60_000,
			onHead: (code) => {
				status = code;
				return true;
			},
			onBody: (buffer, offset, count) => {
				for (let i = 0; i < count; i++) body[length++] = buffer[offset + i] ?? 0;
				return true;
			},
			onDone: (failure) => {
				if (failure || status !== 200) throw new Error(`request failed: ${failure?.code ?? status}`);
				http.close();
				const answer: unknown = JSON.parse(utf8Decode(body, 0, length) ?? "");
				Timer.set(() => done(answer), 0);
			},
		});
	}

	function begin(answer: unknown): void {
		manifest = answer as Manifest;
		next = Number(storage.read("next") ?? "0");
		log.write("info", `old way: begin at chunk ${next}`);
		flash.prepare(slot);
		fetchNext();
	}

	function fetchNext(): void {
		if (manifest && next >= manifest.total_chunks) verify(manifest);
		else
			ask(
				`/api/inverter/fota/chunk?chunk_number=${next}&chunk_size=${CHUNK_BYTES}&hash=${manifest?.hash}`,
				use,
			);
	}

	function use(answer: unknown): void {
		const chunk = answer as Chunk;
		const data = base64urlDecode(chunk.data.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""));
		const expected = hexDecode(chunk.mac, 32);
		if (!data || !expected || chunk.chunk_number !== next) throw new Error("bad chunk");
		mac.startVerify();
		mac.update(data, 0, data.length);
		if (!mac.verify(expected, 0)) throw new Error("bad mac");
		const offset = next * CHUNK_BYTES;
		flash.erase(slot, offset, Math.ceil(data.length / 4096) * 4096);
		flash.write(slot, offset, data, 0, data.length);
		next++;
		storage.write("next", String(next));
		Timer.set(fetchNext, PAUSE_MS);
	}

	function verify({ size, hash }: Manifest): void {
		const sha = new Sha256();
		const buffer = new Uint8Array(4096);
		for (let offset = 0; offset < size; offset += buffer.length) {
			const count = Math.min(buffer.length, size - offset);
			flash.read(slot, offset, buffer, 0, count);
			sha.update(buffer, 0, count);
		}
		sha.digest(buffer, 0);
		if (hexEncode(buffer.subarray(0, 32)) !== hash) throw new Error("bad hash");
		flash.activate(slot);
		log.write("info", "old way: activated");
	}

	Timer.set(() => {
		log.write("info", "old way: start");
		ask(
			`/api/inverter/fota/manifest?device_type=${deviceType}&chip=esp32&version=1.0.0&chunk_size=${CHUNK_BYTES}`,
			begin,
		);
	}, START_MS);
}
