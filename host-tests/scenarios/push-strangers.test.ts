// Scenario 7, the port itself: what strangers on the local network send, or do not, never restarts the device.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { askDevice } from "../../cli/device/push-client.js";
import { dial, say, started, stillFine } from "./push-rig.js";

describe("the push port never restarts the device when somebody", { timeout: 240_000 }, () => {
	const GARBAGE: readonly (readonly [string, string, RegExp])[] = [
		["sends garbage", "\x16\x03\x01\x00\xff garbage\r\n\r\n", /^HTTP\/1.1 400 /],
		[
			"sends a header of 30 KB",
			`GET /info HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(30_000)}\r\n\r\n`,
			/^HTTP\/1.1 431 /,
		],
		[
			"sends a thousand headers",
			`GET /info HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(1000)}\r\n`,
			/^HTTP\/1.1 431 /,
		],
		[
			"sends a chunked body",
			"POST /update HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
			/^HTTP\/1.1 400 /,
		],
		["asks for something else", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1.1 404 [\s\S]*not-found/],
		["asks in another way", "POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", /^HTTP\/1.1 405 /],
		[
			"pushes without a credential",
			"POST /update HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
			/^HTTP\/1.1 401 [\s\S]*auth-missing/,
		],
		[
			"pushes without a length",
			"POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nFOTA-Release: b\r\n\r\n",
			/^HTTP\/1.1 411 [\s\S]*request-malformed/,
		],
	];

	test("says what is none of its business", async () => {
		const running = await started();
		for (const [title, text, wanted] of GARBAGE)
			expect(await say(running.address, text), title).toMatch(wanted);
		expect((await askDevice(running.address)).state).toBe("IDLE");
		await stillFine(running);
	});

	test("holds both places with heads that never end: they are closed, and the owner is served", async () => {
		const running = await started();
		const slow = await Promise.all([dial(running.address), dial(running.address)]);
		let closedCount = 0;
		for (const socket of slow) socket.once("close", () => (closedCount += 1));
		for (let at = 0; closedCount < 2 && at < 100; at++) {
			for (const socket of slow) socket.write("G"[at] ?? (at === 1 ? "E" : "X"));
			await sleep(200);
		}
		expect(closedCount).toBe(2);
		expect((await askDevice(running.address)).state).toBe("IDLE");
		await stillFine(running);
	});

	test("connects a hundred times and says nothing", async () => {
		const running = await started();
		const idle = await Promise.all(Array.from({ length: 100 }, () => dial(running.address)));
		await sleep(500);
		for (const socket of idle) socket.destroy();
		const state = () =>
			askDevice(running.address).then(
				(status) => status.state,
				() => "none",
			);
		await expect.poll(state).toBe("IDLE");
		await stillFine(running);
	});
});
