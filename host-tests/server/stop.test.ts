// Stopping while a download is under way.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { framesLength } from "../../src/protocol/chunk-frames.js";
import { sha256 } from "./release-kit.js";
import { ServerRig } from "./server-rig.js";
import { writeCertificate } from "./test-certificate.js";

// More than the socket buffers of both sides hold, so that the server is in the middle when the reader stops.
const IMAGE_BYTES = 8 * 1024 * 1024;
const STOP_TIMEOUT_MS = 1500;
/** The test's own time is over before. */
const NEVER_MS = 600_000;
/** Enough for that download on a machine that is busy with something else. */
const PATIENT_STOP_TIMEOUT_MS = 60_000;

describe("a server that is told to stop", () => {
	let rig: ServerRig;
	let socket: Socket;
	let bodyBytes: number;
	async function startDownload(stopTimeoutMs: number): Promise<void> {
		rig = await ServerRig.create({ stopTimeoutMs });
		const url = new URL(await rig.app.listen());
		const device = await rig.device();
		const image = await rig.publish({ sizeBytes: IMAGE_BYTES });
		const range = { first: 0, count: IMAGE_BYTES / 4096, chunkBytes: 4096 };
		bodyBytes = framesLength({ ...range, sizeBytes: IMAGE_BYTES });
		const target = `/api/inverter/fota/chunk?chunk_number=0&count=${range.count}&chunk_size=4096&hash=${sha256(image)}`;
		socket = connect(Number(url.port), url.hostname);
		await once(socket, "connect");
		socket.write(
			`GET ${target} HTTP/1.1\r\nhost: a\r\naccept: application/vnd.fota.chunks\r\nauthorization: ${device.authorization(target)}\r\n\r\n`,
		);
		await once(socket, "readable");
	}
	afterEach(async () => {
		socket.destroy();
		await rig.close();
	});

	it("lets a download under way end, then closes its kept-alive connection", async () => {
		await startDownload(PATIENT_STOP_TIMEOUT_MS);
		const stopped = rig.close();
		let received = 0;
		socket.on("data", (piece) => {
			received += piece.length;
		});
		await once(socket, "close");
		await stopped;
		expect(received).toBeGreaterThan(bodyBytes);
		expect(received).toBeLessThan(bodyBytes + 1000);
	});

	it("cuts a download that nobody takes when its time is over", async () => {
		await startDownload(STOP_TIMEOUT_MS);
		const startMs = performance.now();
		await rig.close();
		expect(performance.now() - startMs).toBeGreaterThan(STOP_TIMEOUT_MS - 50);
		expect(performance.now() - startMs).toBeLessThan(STOP_TIMEOUT_MS + 10_000);
		socket.on("error", () => undefined);
		socket.resume();
		if (!socket.closed) await once(socket, "close");
	});

	it("waits for nobody who was to shake hands (TLS) and says nothing", async () => {
		const folder = await mkdtemp(join(tmpdir(), "fota-stop-test-"));
		rig = await ServerRig.create({ stopTimeoutMs: NEVER_MS, tls: await writeCertificate(folder, "server") });
		await rm(folder, { recursive: true });
		const url = new URL(await rig.app.listen());
		const accepted = once(rig.server.server, "connection");
		socket = connect(Number(url.port), url.hostname);
		socket.on("error", () => undefined);
		const closed = once(socket, "close");
		await accepted;
		await rig.close();
		await closed;
	});

	it("waits for nobody who is connected and has not asked for anything", async () => {
		rig = await ServerRig.create({ stopTimeoutMs: NEVER_MS });
		const url = new URL(await rig.app.listen());
		socket = connect(Number(url.port), url.hostname);
		const closed = once(socket, "close");
		socket.on("error", () => undefined);
		await once(socket, "connect");
		socket.write("GET /health HTTP/1.1\r\nhost:");
		// The server has it once another one, made later, was answered.
		expect((await fetch(`${url.origin}/health`)).status).toBe(200);
		await rig.close();
		await closed;
	});

	it("can be told twice", async () => {
		await startDownload(STOP_TIMEOUT_MS);
		socket.destroy();
		await Promise.all([rig.close(), rig.close()]);
		await expect(rig.server.inject("/health")).rejects.toThrow();
	});
});
