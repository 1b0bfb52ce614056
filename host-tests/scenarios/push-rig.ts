// A device of a scenario with its push port open, and those who speak to it.
import { connect, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import {
	askDevice,
	authorize,
	type DeviceAddress,
	PushRefusedError,
	pushImage,
} from "../../cli/device/push-client.js";
import type { SimulatorProcess } from "../../cli/simulator/simulator-process.js";
import { type Release, Rig, type TestDevice, type TestRun } from "../support/rig.js";

/** No poll comes between, unless a test wants one. */
export const QUIET = { pollSeconds: 86_400 };

export interface Running {
	readonly rig: Rig;
	readonly device: TestDevice;
	readonly process: SimulatorProcess;
	readonly address: DeviceAddress;
}

export async function addressOf(process: SimulatorProcess): Promise<DeviceAddress> {
	const line = await process.waitForLine("sim: tcp 3232 is ");
	return { host: "127.0.0.1", port: Number(line.split(":").at(-1)) };
}

/** A device that has polled once and is idle, its push port known. */
export async function started(run: TestRun = {}, settings: object = QUIET): Promise<Running> {
	const rig = await Rig.open();
	const device = await rig.device({ settings });
	const process = await device.start(run);
	const address = await addressOf(process);
	await process.waitForLine("state CHECKING_MANIFEST");
	return { rig, device, process, address };
}

export async function push(
	running: Running,
	release: Release,
	change: { key?: Uint8Array; image?: Uint8Array } = {},
) {
	const { challenge } = await askDevice(running.address);
	return pushImage(running.address, {
		image: change.image ?? release.image,
		release: release.jws,
		deviceKey: change.key ?? running.device.identity.deviceKey,
		challenge,
	});
}

/** The code of the refusal, or "taken". */
export async function outcome(push: Promise<unknown>): Promise<string> {
	try {
		await push;
		return "taken";
	} catch (error) {
		if (error instanceof PushRefusedError) return error.problem.code;
		throw error;
	}
}

/** A connection of its own, to say anything on. */
export async function dial({ host, port }: DeviceAddress): Promise<Socket> {
	const socket = connect(port, host);
	onTestFinished(() => void socket.destroy());
	socket.on("error", () => {});
	await new Promise((resolve) => socket.once("connect", resolve));
	return socket;
}

/** Says it and collects what comes until the device closes. */
export async function say(address: DeviceAddress, text: string): Promise<string> {
	const socket = await dial(address);
	let heard = "";
	socket.on("data", (piece) => {
		heard += piece.toString("latin1");
	});
	socket.write(text, "latin1");
	await new Promise((resolve) => socket.once("close", resolve));
	return heard;
}

export async function headFor(running: Running, release: Release): Promise<string> {
	const { challenge } = await askDevice(running.address);
	const { deviceKey } = running.device.identity;
	const authorization = authorize({ release: release.jws, deviceKey, challenge }, release.image.length);
	return (
		`POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n` +
		`FOTA-Release: ${release.jws}\r\nContent-Length: ${release.image.length}\r\n\r\n`
	);
}

/** Nothing of what was done to it has made it restart or break a rule of flash. */
export async function stillFine({ process }: Running): Promise<string> {
	const { stats, log, stderr } = await process.stop();
	expect(stderr).not.toContain("Sanitizer");
	expect(stats).toMatchObject({ end: "signal", boots: 1 });
	expect(stats?.flash.ruleBreaks).toBe(0);
	return log;
}
