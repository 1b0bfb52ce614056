// A server that sends garbage, stalls, closes, over-delivers and trickles: the firmware says what it saw, asks again,
// and never restarts. Bare TCP, so nothing on this side is polite.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { buildFlash, smallPartitions } from "../../cli/image/flash-image.js";
import { createReleaseKey } from "../../cli/release/release-key.js";
import { SimulatorProcess } from "../../cli/simulator/simulator-process.js";
import { type EvilScript, EvilServer } from "../support/evil-server.js";
import { identityFor, makeRelease } from "../support/rig.js";

/** Requests after which the device has shown that it goes on. */
const REQUESTS_WANTED = 4;
/** Stalls last as long as the firmware's own limits: 15 s of silence, and it asks on two lines. */
const PATIENCE_MS = 150_000;
const PIECES = 200;

const ok = (headers: string, body = "") => `HTTP/1.1 200 OK\r\n${headers}\r\n${body}`;
const JSON_HEADER = "Content-Type: application/json\r\n";

const SCRIPTS: Readonly<Record<string, EvilScript>> = {
	"closes at once": (answer) => answer.end(),
	"resets the connection": (answer) => answer.reset(),
	"sends garbage for a status line": async (answer) => {
		await answer.send("\x00\xff\x01garbage\r\n\r\n");
		answer.end();
	},
	"speaks another protocol": (answer) => answer.send("SSH-2.0-OpenSSH_9.2\r\n"),
	"sends a status line of 30 KB": (answer) => answer.send(`HTTP/1.1 200 ${"x".repeat(30_000)}\r\n\r\n`),
	"sends headers of 30 KB": (answer) => answer.send(ok(`X-Long: ${"y".repeat(30_000)}\r\n`)),
	"sends a thousand headers": (answer) => answer.send(ok("X-Many: z\r\n".repeat(1000))),
	"sends a header without a colon": (answer) => answer.send(ok("no colon here\r\n", "{}")),
	"ends lines with LF alone": (answer) => answer.send("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"),
	"sends a Content-Length that is no number": (answer) => answer.send(ok("Content-Length: banana\r\n", "{}")),
	"sends a negative Content-Length": (answer) => answer.send(ok("Content-Length: -5\r\n", "{}")),
	"sends a huge Content-Length": (answer) => answer.send(ok(`Content-Length: ${"9".repeat(30)}\r\n`, "{}")),
	"sends two Content-Lengths": (answer) =>
		answer.send(ok("Content-Length: 2\r\nContent-Length: 3\r\n", "{}x")),
	"delivers more than its Content-Length": (answer) =>
		answer.send(ok(`${JSON_HEADER}Content-Length: 2\r\n`, `{}${"extra".repeat(2000)}`)),
	"delivers less and closes": async (answer) => {
		await answer.send(ok(`${JSON_HEADER}Content-Length: 500\r\n`, "{"));
		answer.end();
	},
	"never ends its body": async (answer) => {
		await answer.send(ok(JSON_HEADER));
		for (let piece = 0; piece < PIECES && !answer.isGone; piece++) await answer.send("x".repeat(10_000));
		answer.end();
	},
	"sends chunks in HTTP's own way": (answer) =>
		answer.send(ok("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nTrailer: x\r\n\r\n")),
	"sends a bad chunk size": (answer) => answer.send(ok("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n")),
	"says 100 Continue for ever": async (answer) => {
		for (let piece = 0; piece < PIECES && !answer.isGone; piece++)
			await answer.send("HTTP/1.1 100 Continue\r\n\r\n");
		answer.end();
	},
	"says 999": (answer) => answer.send("HTTP/1.1 999 Nonsense\r\nContent-Length: 0\r\n\r\n"),
	redirects: (answer) =>
		answer.send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
	"sends a 204 with a body": (answer) =>
		answer.send("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
	"sends JSON nested a thousand deep": (answer) => {
		const body = "[".repeat(1000) + "]".repeat(1000);
		return answer.send(ok(`${JSON_HEADER}Content-Length: ${body.length}\r\n`, body));
	},
	"answers before it is asked, twice": (answer) =>
		answer.send(ok("Content-Length: 2\r\n", "{}") + ok("Content-Length: 2\r\n", "{}")),
	"forges a problem without a MAC": (answer) => {
		const body = '{"status":401,"code":"nonce-stale","next_nonce":9007199254740991}';
		const head = `Content-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n`;
		return answer.send(`HTTP/1.1 401 Unauthorized\r\n${head}\r\n${body}`);
	},
	"trickles one byte a time, then closes": async (answer) => {
		for (const byte of ok("Content-Length: 20\r\n", "{")) {
			await answer.send(byte);
			await answer.sleep(5);
		}
		answer.end();
	},
	"says nothing": () => undefined,
	"stops in the middle of its headers": (answer) => answer.send("HTTP/1.1 200 OK\r\nContent-Le"),
};

let image: Uint8Array;
const key = createReleaseKey();

beforeAll(async () => {
	image = (await makeRelease(key, "1.0.0")).image;
});

describe("the firmware never restarts when the server", () => {
	const options = { timeout: 240_000 };
	test.concurrent.each(Object.entries(SCRIPTS))("%s", options, async (_title, script) => {
		const folder = await mkdtemp(join(tmpdir(), "xs-fota-evil-"));
		const server = await EvilServer.start(script);
		const flash = join(folder, "board.flash");
		const identity = identityFor({ port: server.port, settings: { pollSeconds: 1 } }, key);
		await writeFile(flash, buildFlash({ identity, image, partitions: smallPartitions(7 * 65_536) }));
		const device = await SimulatorProcess.start({ flash, variant: "asan" });
		try {
			const end = Date.now() + PATIENCE_MS;
			while (server.requestCount < REQUESTS_WANTED && Date.now() < end) await sleep(100);
			const { stats, log, stderr } = await device.stop();
			expect(stderr).not.toContain("Sanitizer");
			expect(stats).toMatchObject({ end: "signal", boots: 1 });
			expect(server.requestCount).toBeGreaterThanOrEqual(REQUESTS_WANTED);
			expect(log).toMatch(/network-|http-|answer-/);
		} finally {
			await device.stop();
			await server.close();
			await rm(folder, { recursive: true, force: true });
		}
	});
});
