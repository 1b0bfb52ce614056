// Two server processes on one database, with one folder of images, and a device on XS whose server is killed in the middle
// of its update: the other one has all that it needs to go on.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildFlash, smallPartitions } from "../../cli/image/flash-image.js";
import { createReleaseKey } from "../../cli/release/release-key.js";
import { ServerClient } from "../../cli/server/server-client.js";
import { hexEncode } from "../../src/protocol/encoding.js";
import { DEVICE_TYPE, identityFor, makeRelease, TestDevice } from "../support/rig.js";
import { SERVER_TOKEN, ServerProcess } from "../support/server-process.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";

const SLOT_BYTES = 7 * 65_536;

// A SQLite file belongs to one process.
describe.runIf(databaseKind === "PostgreSQL")(
	"two server processes on one database",
	{ timeout: 900_000 },
	() => {
		let folder: string;
		let database: TestDatabase;
		const servers: ServerProcess[] = [];
		let way: Way | undefined;
		beforeEach(async () => {
			folder = await mkdtemp(join(tmpdir(), "fota-two-processes-test-"));
			database = await testDatabase();
		});
		afterEach(async () => {
			way?.server.close();
			for (const server of servers.splice(0)) await server.kill();
			await database.remove();
			await rm(folder, { recursive: true });
		});

		async function start(): Promise<ServerProcess> {
			const server = await ServerProcess.start({ FOTA_DATA: folder, DATABASE_URL: database.url ?? "" });
			servers.push(server);
			return server;
		}
		const clientOf = ({ url }: ServerProcess) => new ServerClient({ url: new URL(url), token: SERVER_TOKEN });

		it("have a device go on with the second when the first is killed in the middle of its download", async () => {
			const [first, second] = [await start(), await start()];
			const [left, right] = [clientOf(first), clientOf(second)];
			const key = createReleaseKey();
			await left.registerReleaseKey(hexEncode(key.publicKey));
			const deviceKey = Buffer.from(
				await right.registerDevice({ deviceId: "d", deviceType: DEVICE_TYPE }),
				"hex",
			);
			const old = await makeRelease(key, "1.0.0");
			const release = await makeRelease(key, "1.1.0");
			await left.publish({ image: release.image, release: release.jws });

			way = await openWay({ first, second, afterBytes: release.image.length / 2 });
			const identity = { ...identityFor({ id: "d", port: way.port }, key), deviceKey };
			const path = join(folder, "d.flash");
			await writeFile(
				path,
				buildFlash({ identity, image: old.image, partitions: smallPartitions(SLOT_BYTES) }),
			);
			const device = new TestDevice(path, identity, "esp32");
			const { stats } = await device.run({ until: ["the server knows: 1.1.0 completed"] });
			expect(stats).toMatchObject({ end: "until", boots: 2 });
			expect(way.isKilled()).toBe(true);
			expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });

			const third = clientOf(await start());
			for (const client of [right, third])
				expect(await client.status("d")).toMatchObject({
					version: "1.1.0",
					slot: "ota_1",
					lastError: undefined,
				});
			const types = (await third.events({ log: "fota", deviceId: "d", after: 0, limit: 500 })).map(
				({ type }) => type,
			);
			expect(types.filter((type) => type === "fota_completed")).toHaveLength(1);
			expect(types).not.toContain("update_failed");
		});
	},
);

interface Way {
	readonly server: Server;
	readonly port: number;
	readonly isKilled: () => boolean;
}

interface Crossing {
	readonly first: ServerProcess;
	readonly second: ServerProcess;
	/** From the first server to the device, before the first one is killed. */
	readonly afterBytes: number;
}

/** As a balancer: to the first server while it lives, then to the second. Its connections end with it. */
async function openWay({ first, second, afterBytes }: Crossing): Promise<Way> {
	let leftBytes = afterBytes;
	let killed: Promise<void> | undefined;
	const server = createServer((near) => {
		const isFirst = killed === undefined;
		const far = connect(Number(new URL((isFirst ? first : second).url).port), "127.0.0.1");
		for (const [one, other] of [
			[near, far],
			[far, near],
		] as const) {
			one.on("error", () => undefined);
			one.on("close", () => other.destroy());
			one.pipe(other);
		}
		far.on("data", (piece: Buffer) => {
			if (!isFirst) return;
			leftBytes -= piece.length;
			if (leftBytes <= 0) killed ??= first.kill();
		});
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return { server, port, isKilled: () => killed !== undefined };
}
