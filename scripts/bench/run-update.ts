// One update on the simulator, measured: what the device said and read, what the simulator counted. Called by bench.ts
// for the product's way and for the old one; it must not know which of them it measures.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFlash, smallPartitions } from "../../cli/image/flash-image.js";
import { createReleaseKey } from "../../cli/release/release-key.js";
import { signRelease } from "../../cli/release/sign-release.js";
import { ServerClient } from "../../cli/server/server-client.js";
import { runSimulator, type SimulatorResult } from "../../cli/simulator/simulator-process.js";
import { countWire, type WireCount } from "../../cli/simulator/wire-count.js";
import { createApp } from "../../server/app.js";
import { hexEncode } from "../../src/protocol/encoding.js";
import { DEFAULT_SETTINGS } from "../../src/protocol/identity.js";

const DEVICE_TYPE = "bench";
const MAX_WALL_SECONDS = 600;

export interface UpdateOptions {
	/** The running firmware. */
	readonly from: Uint8Array;
	/** The one it installs. */
	readonly to: Uint8Array;
	readonly slotBytes: number;
	readonly chunkBytes: number;
	/** A serial line that ends the run. */
	readonly until: string;
	/** Further options of the simulator. */
	readonly args?: readonly string[];
}

export interface MeasuredUpdate {
	readonly device: SimulatorResult;
	readonly wire: WireCount;
}

export async function runUpdate(options: UpdateOptions): Promise<MeasuredUpdate> {
	const folder = await mkdtemp(join(tmpdir(), "xs-fota-bench-"));
	const app = await createApp({ logLevel: "silent", stopTimeoutMs: 500, legacyDeviceTypes: [DEVICE_TYPE] });
	try {
		const url = new URL(await app.listen());
		const client = new ServerClient({ url, token: app.adminToken });
		const key = createReleaseKey();
		await client.registerReleaseKey(hexEncode(key.publicKey));
		await client.publish({
			image: options.to,
			release: signRelease(options.to, { deviceType: DEVICE_TYPE }, key),
		});
		const deviceKey = await client.registerDevice({ deviceId: "bench-1", deviceType: DEVICE_TYPE });
		const flash = join(folder, "device.flash");
		const identity = {
			deviceId: "bench-1",
			deviceKey: Buffer.from(deviceKey, "hex"),
			deviceType: DEVICE_TYPE,
			releaseKeys: [key.publicKey],
			server: { host: "127.0.0.1", port: Number(url.port) },
			settings: { ...DEFAULT_SETTINGS, chunkBytes: options.chunkBytes },
		};
		const partitions = smallPartitions(options.slotBytes);
		await writeFile(flash, buildFlash({ identity, image: options.from, partitions }));
		const capture = join(folder, "device.capture");
		const { until, args } = options;
		const device = await runSimulator({
			flash,
			capture,
			until: [until],
			maxWallSeconds: MAX_WALL_SECONDS,
			args,
		});
		if (device.exitCode !== 0)
			throw new Error(`no "${until}":\n${device.stderr}\n${device.log.slice(-4000)}`);
		return { device, wire: countWire(await readFile(capture)) };
	} finally {
		await app.close();
		await rm(folder, { recursive: true, force: true });
	}
}
