// What the server says on its own output: which lines at which level, and how they look on a terminal.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReadableLog } from "../../server/readable-log.js";
import { ServerRig } from "./server-rig.js";
import type { TestDevice } from "./test-device.js";

interface Line {
	readonly level: number;
	readonly msg: string;
	readonly [field: string]: unknown;
}

describe("the server's log at info", () => {
	let rig: ServerRig;
	let device: TestDevice;
	let lines: Line[];
	beforeEach(async () => {
		lines = [];
		const logStream = {
			write(text: string) {
				const line = JSON.parse(text) as Line;
				// Behind the answers, see audit-heads.test.ts.
				if (line.msg !== "audit log head") lines.push(line);
			},
		};
		rig = await ServerRig.create({ logLevel: "info", logStream });
		device = await rig.device();
	});
	afterEach(() => rig.close());
	const told = () => lines.map(({ level, msg }) => `${level >= 40 ? "warn" : "info"} ${msg}`);
	const target = { version: "1.1.0", hash: "a".repeat(64) };

	it("has a line for a key, a device, a release and an order, and none for requests", async () => {
		await rig.publish();
		await device.manifest(rig.server);
		await rig.get("/api/cloud/fota/status");
		await rig.get("/no/such/path");
		await rig.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason: "too warm" });
		expect(told()).toEqual([
			"info release key added",
			"info device registered",
			"info release published",
			"info rollback ordered",
		]);
		expect(lines[2]).toMatchObject({ version: "1.1.0", device_type: "thermostat", outcome: "created" });
	});

	it("has a line for what became of an update, and none for its steps", async () => {
		lines = [];
		await device.report(rig.server, { state: "DOWNLOADING", target, chunksReceived: 3, chunkCount: 9 });
		await device.report(rig.server, { state: "REBOOTING", bootStatus: "pending_reboot", target });
		await device.report(rig.server, { state: "COMPLETED", bootStatus: "boot_successful", target });
		expect(told()).toEqual(["info firmware applied", "info fota completed"]);
		expect(lines[1]).toMatchObject({ device: "dev-1", target_version: "1.1.0" });
	});

	it("warns of a rollback once, though it is an event of both logs", async () => {
		lines = [];
		const error = { code: "boot-crashed", message: "3 boots" } as const;
		await device.report(rig.server, { state: "ROLLBACK", target, isRolledBack: true, error });
		expect(told()).toEqual(["warn rollback triggered", "warn update failed"]);
		expect(lines[0]).toMatchObject({ error_code: "boot-crashed", error: "3 boots" });
	});

	it("warns of strangers, as often as the security log does", async () => {
		lines = [];
		const headers = { authorization: "Bearer wrong-but-secret" };
		for (let i = 0; i < 100; i++) await rig.server.inject({ url: "/api/cloud/fota/status", headers });
		expect(new Set(told())).toEqual(new Set(["warn admin auth failed"]));
		expect(lines).toHaveLength((await rig.eventTypes("security", "&type=admin_auth_failed")).length);
	});
});

describe("a log line on a terminal", () => {
	const shown = (entry: object) => {
		let text = "";
		const log = createReadableLog({
			write(piece) {
				text += piece;
			},
		});
		log.write(`${JSON.stringify({ level: 30, time: 0, pid: 1, hostname: "h", reqId: "r", ...entry })}\n`);
		return text.replace(/^\S+ \S+ /, "");
	};

	it("has time, level, message and fields", () => {
		const line = shown({ level: 40, msg: "boot failed", device: "d-1", error: "3 boots", slot: null });
		expect(line).toBe('WARN  boot failed  device=d-1  error="3 boots"\n');
		const log: string[] = [];
		createReadableLog({ write: (text) => log.push(text) }).write('{"level":30,"time":0,"msg":"m"}\n');
		expect(log[0]).toMatch(/^19(70|69)-\d\d-\d\d \d\d:\d\d:\d\d INFO {2}m\n$/);
	});

	it("shows where a fault came from, line by line", () => {
		const err = { type: "Error", message: "no disk", stack: "Error: no disk\n    at store.ts:1" };
		expect(shown({ level: 50, msg: "request failed", err })).toBe(
			"ERROR request failed\n    Error: no disk\n        at store.ts:1\n",
		);
	});

	it("lets no text from outside reach the terminal's controls", () => {
		const line = shown({ msg: "a\u001b[2J", device: "x\u009b1m", error: "two\nlines\u2028more" });
		expect(line).toBe('INFO  a?[2J  device=x?1m  error="two\\nlines?more"\n');
	});
});
