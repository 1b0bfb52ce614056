// The push port and somebody who connects only to reset the connection, as port scanners do, again and again: the device
// goes on, whatever it is doing. With the listener of the SDK each such peer could restart a chip.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { askDevice, type DeviceAddress, pushImage } from "../../cli/device/push-client.js";
import type { SimulatorProcess } from "../../cli/simulator/simulator-process.js";
import { Rig } from "../support/rig.js";

const QUIET = { pollSeconds: 86_400 };

async function addressOf(process: SimulatorProcess): Promise<DeviceAddress> {
	const line = await process.waitForLine("sim: tcp 3232 is ");
	return { host: "127.0.0.1", port: Number(line.split(":").at(-1)) };
}

/** Connects and resets until the test is over: at once, after a word, or after a while. */
class Scanner {
	connectCount = 0;
	#isOver = false;
	readonly #done: Promise<void>;

	constructor(address: DeviceAddress) {
		this.#done = this.#scan(address);
		onTestFinished(async () => void (await this.stop()));
	}

	/** How often it got a connection. */
	async stop(): Promise<number> {
		this.#isOver = true;
		await this.#done;
		return this.connectCount;
	}

	async #scan({ host, port }: DeviceAddress): Promise<void> {
		for (let round = 0; !this.#isOver; round++) {
			const socket = connect(port, host);
			const isConnected = await new Promise((resolve) =>
				socket.once("connect", () => resolve(true)).on("error", () => resolve(false)),
			);
			if (isConnected) this.connectCount += 1;
			if (round % 3 === 1) socket.write("GET /in");
			if (round % 3 === 2) await sleep(40);
			socket.resetAndDestroy();
			await sleep(25);
		}
	}
}

describe("somebody who resets every connection", { timeout: 240_000 }, () => {
	test("neither restarts the device, nor keeps a push, its trial and its confirmation from succeeding", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ settings: QUIET });
		const process = await device.start({ isFast: false });
		const address = await addressOf(process);
		await process.waitForLine("state CHECKING_MANIFEST");
		const scanner = new Scanner(address);
		const release = await rig.makeRelease("1.1.0");
		const { deviceKey } = device.identity;
		const { challenge } = await askDevice(address);
		const push = { image: release.image, release: release.jws, deviceKey, challenge };
		expect(await pushImage(address, push)).toMatchObject({ version: "1.1.0" });
		await process.waitForLine("state BOOT_VERIFICATION");
		const beforeTrial = scanner.connectCount;
		await process.waitForLine("update 1.1.0 confirmed");
		const connectCount = await scanner.stop();
		// Some each second: where the queue of those to be taken in is full, a connection waits for its next try.
		expect(beforeTrial).toBeGreaterThan(3);
		expect(connectCount - beforeTrial).toBeGreaterThan(10);
		expect(await askDevice(address)).toMatchObject({ version: "1.1.0", running: "ota_1", state: "IDLE" });
		const { stats, stderr } = await process.stop();
		expect(stderr).not.toContain("Sanitizer");
		expect(stats).toMatchObject({ end: "signal", boots: 2, resets: [{ reason: "SW" }] });
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
	});
});
