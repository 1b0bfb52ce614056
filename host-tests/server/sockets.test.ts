// The server over real sockets: what is no proper HTTP, uploads and downloads that break off.
import { once } from "node:events";
import { readdir, readlink } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeImage, sha256, signStatement, statementFor } from "./release-kit.js";
import { ADMIN_TOKEN } from "./server-rig.js";
import { UploadRig } from "./upload-rig.js";

let rig: UploadRig;
let url: string;
const sockets: Socket[] = [];
beforeEach(async () => {
	rig = await UploadRig.open({ maxUploadBytes: 1_000_000, stopTimeoutMs: 500 });
	url = await rig.app.listen();
});
afterEach(async () => {
	for (const socket of sockets.splice(0)) socket.destroy();
	await rig.close();
});

async function openSocket(): Promise<Socket> {
	const socket = connect(Number(new URL(url).port), "127.0.0.1");
	sockets.push(socket);
	socket.on("error", () => undefined);
	await once(socket, "connect");
	return socket;
}

/** Everything that comes until the server closes. */
async function readToEnd(socket: Socket): Promise<string> {
	let text = "";
	socket.on("data", (piece) => {
		text += piece.toString("latin1");
	});
	await once(socket, "close");
	return text;
}

async function exchange(request: string): Promise<string> {
	const socket = await openSocket();
	socket.write(request);
	return readToEnd(socket);
}

describe("over a socket", () => {
	it.each([
		["no HTTP at all", "hello\r\n\r\n", "400 Bad Request"],
		["a folded header", "GET /health HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", "400 Bad Request"],
		[
			"two lengths",
			"GET /health HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
			"400 Bad Request",
		],
		[
			"a header beyond the limit",
			`GET /health HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(9000)}\r\n\r\n`,
			"431 ",
		],
		["a request line beyond the limit", `GET /${"a".repeat(9000)} HTTP/1.1\r\nhost: a\r\n\r\n`, "431 "],
	])("%s is refused as a problem and ends the connection", async (_name, request, status) => {
		const answer = await exchange(request);
		expect(answer).toContain(`HTTP/1.1 ${status}`);
		expect(answer).toContain("content-type: application/problem+json");
		expect(answer).toContain('"code":"request-malformed"');
	});

	it("a path that cannot be decoded is refused as a problem", async () => {
		const answer = await exchange("GET /%ff HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
		expect(answer).toContain("HTTP/1.1 400 Bad Request");
		expect(answer).toContain("application/problem+json");
	});

	it("two requests follow each other on one connection", async () => {
		const request = "GET /health HTTP/1.1\r\nhost: a\r\n";
		const answer = await exchange(`${request}\r\n${request}connection: close\r\n\r\n`);
		expect(answer.match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
	});

	it("an upload goes through, and one that is too large is refused while it still comes", async () => {
		const post = (body: Uint8Array, release: string) =>
			fetch(`${url}/api/cloud/fota/upload`, {
				method: "POST",
				headers: {
					authorization: `Bearer ${ADMIN_TOKEN}`,
					"content-type": "application/octet-stream",
					"fota-release": release,
				},
				body: Buffer.from(body),
			});
		const image = makeImage({ sizeBytes: 900_000 });
		const release = signStatement(statementFor(image), rig.releaseKey);
		expect((await post(image, release)).status).toBe(201);
		const socket = await openSocket();
		socket.write(uploadHead(release, 500_000_000));
		const answer = readToEnd(socket);
		const piece = Buffer.alloc(65_536);
		for (let i = 0; i < 40 && !socket.destroyed; i++) {
			if (!socket.write(piece)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
		}
		expect(await answer).toContain("HTTP/1.1 413");
		expect(await rig.storedFiles()).toEqual([`${sha256(image)}.bin`]);
	});

	it("an upload that breaks off leaves nothing", async () => {
		const image = makeImage({ sizeBytes: 900_000 });
		const socket = await openSocket();
		socket.write(uploadHead(signStatement(statementFor(image), rig.releaseKey), image.length));
		socket.write(Buffer.from(image.subarray(0, 300_000)));
		await expect.poll(() => rig.storedFiles()).toHaveLength(1);
		socket.destroy();
		await expect.poll(() => rig.storedFiles()).toEqual([]);
		expect((await fetch(`${url}/health`)).status).toBe(200);
	});
});

it("downloads that break off leave no file open", async () => {
	const openImages = async () => {
		const paths = (await readdir("/proc/self/fd")).map((name) => `/proc/self/fd/${name}`);
		// One of them is the listing itself, which is gone by now.
		const targets = await Promise.all(paths.map((path) => readlink(path).catch(() => "")));
		return targets.filter((target) => target.endsWith(".bin")).length;
	};
	const device = await rig.device();
	const hash = sha256(await rig.publish({ sizeBytes: 900_000 }));
	for (let i = 0; i < 20; i++) {
		const target = `/api/inverter/fota/chunk?chunk_number=0&count=200&chunk_size=4096&hash=${hash}`;
		const socket = await openSocket();
		socket.write(
			`GET ${target} HTTP/1.1\r\nhost: a\r\naccept: application/vnd.fota.chunks\r\nauthorization: ${device.authorization(target)}\r\n\r\n`,
		);
		if (i % 2 === 0) await once(socket, "readable");
		socket.destroy();
	}
	await expect.poll(openImages).toBe(0);
});

function uploadHead(release: string, length: number): string {
	return [
		"POST /api/cloud/fota/upload HTTP/1.1",
		"host: a",
		`authorization: Bearer ${ADMIN_TOKEN}`,
		"content-type: application/octet-stream",
		`fota-release: ${release}`,
		`content-length: ${length}`,
		"\r\n",
	].join("\r\n");
}
