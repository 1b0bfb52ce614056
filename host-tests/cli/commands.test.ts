// The command line as a person uses it, against a real server, from key to a device that updates itself.
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSlotVersion } from "../../cli/image/boot-records.js";
import { runSimulator } from "../../cli/simulator/simulator-process.js";
import { type App, createApp } from "../../server/app.js";
import { parseIdentity, parseIdentityRecord } from "../../src/protocol/identity.js";
import { type FotaOutcome, runFota } from "../support/run-fota.js";

const OPTIONS = { timeout: 240_000 };

let folder: string;
let app: App;
let url: string;

async function fota(...args: readonly string[]): Promise<FotaOutcome> {
	return fotaWith({ FOTA_SERVER: url, FOTA_TOKEN: app.adminToken }, args);
}

async function fotaWith(env: Record<string, string>, args: readonly string[]): Promise<FotaOutcome> {
	return runFota(args, { cwd: folder, env });
}

async function post(path: string, body: object): Promise<void> {
	const headers = { authorization: `Bearer ${app.adminToken}`, "content-type": "application/json" };
	const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
	expect(answer.ok).toBe(true);
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-cli-"));
	app = await createApp({ logLevel: "silent" });
	url = await app.listen();
});

afterAll(async () => {
	await app?.close();
	await rm(folder, { recursive: true, force: true });
});

describe("fota", OPTIONS, () => {
	test("brings a release from key to device", async () => {
		expect(await fota("keygen", "--out", "keys")).toMatchObject({ code: 0 });
		expect((await stat(join(folder, "keys", "release.key"))).mode & 0o777).toBe(0o600);
		for (const version of ["1.0.0", "1.1.0"])
			expect(await fota("build", "--version", version, "--out", `${version}.bin`)).toMatchObject({ code: 0 });
		const signed = await fota("sign", "1.1.0.bin", "--key", "keys/release.key", "--device-type", "sensor");
		expect(signed).toMatchObject({ code: 0 });
		const published = await fota("publish", "1.1.0.bin", "--release-key", "keys/release.pub");
		expect(published).toMatchObject({ code: 0 });
		expect(published.out).toContain("release created");
		expect(published.error).toContain("100 %");

		const where = ["--host", "127.0.0.1", "--port", new URL(url).port];
		const who = ["--device-id", "board-1", "--device-type", "sensor", "--release-key", "keys/release.pub"];
		const provisioned = await fota(
			"provision",
			...who,
			...where,
			"--image",
			"1.0.0.bin",
			"--out",
			"board.flash",
		);
		expect(provisioned).toMatchObject({ code: 0 });
		const flash = join(folder, "board.flash");
		expect((await stat(flash)).mode & 0o777).toBe(0o600);
		expect(readSlotVersion(await readFile(flash), "ota_0")).toBe("1.0.0");

		const result = await runSimulator({ flash, until: ["update 1.1.0 confirmed"] });
		expect(result.stats?.end).toBe("until");
		expect(readSlotVersion(await readFile(flash), "ota_1")).toBe("1.1.0");
		expect((await fota("status")).out).toMatch(/board-1 +1\.1\.0 +ota_1/);
		expect((await fota("logs", "--device-id", "board-1")).out).toContain("firmware_applied");
		expect((await fota("rollback", "--device-id", "board-1")).out).toContain("rollback order 1");
	});

	test("provisions over a file only when told to, and never under a running device", async () => {
		await fota("keygen", "--out", "third");
		const who = ["--device-id", "board-3", "--device-type", "sensor", "--release-key", "third/release.pub"];
		const where = ["--host", "127.0.0.1", "--port", "80", "--identity-only", "--out", "used.flash"];
		const flash = join(folder, "used.flash");
		await writeFile(flash, "the only copy of a device");
		const refused = await fota("provision", ...who, ...where);
		expect(refused).toMatchObject({ code: 1, out: "" });
		expect(refused.error).toMatch(/used\.flash exists already.*\n.*--force/);

		// The lock is what a simulator holds (simulator/main.c).
		const device = spawn("flock", [flash, "sleep", "60"], { stdio: "ignore", detached: true });
		await expect.poll(() => spawnSync("flock", ["-n", flash, "true"]).status).toBe(1);
		const running = await fota("provision", ...who, ...where, "--force");
		process.kill(-(device.pid ?? 0));
		expect(running).toMatchObject({ code: 1, out: "" });
		expect(running.error).toMatch(/simulated device is running on used\.flash\n.*Stop it first/);
		expect(await readFile(flash, "utf8")).toBe("the only copy of a device");
		// Refused before the server was told.
		expect((await fota("status")).out).not.toContain("board-3");

		expect(await fota("provision", ...who, ...where, "--force")).toMatchObject({ code: 0 });
		expect(await stat(flash)).toMatchObject({ size: 8192 });
		expect((await stat(flash)).mode & 0o777).toBe(0o600);
		expect((await readdir(folder)).filter((name) => name.endsWith(".new"))).toEqual([]);
	});

	test("shows in its help which options must be given, without breaks of its own", async () => {
		const { out } = await fota("sign", "--help");
		const groups = out.split(/\n(?=\w+:\n)/);
		const required = groups.find((group) => group.startsWith("Required:"));
		expect(required).toMatch(/--key <file>[\s\S]*--device-type <type>/);
		expect(required).not.toContain("--out");
		expect(groups.find((group) => group.startsWith("Options:"))).toContain("--out <file>");
		// Every line but the last of a paragraph is filled up to the width, which is 80 where there is no terminal.
		const [first = "", second = ""] = (groups[0] ?? "").split("\n").slice(2);
		expect(`${first} ${second.split(" ")[0]}`.length).toBeGreaterThan(80);
	});

	test.each([
		["status", "viewer"],
		["logs", "viewer"],
		["publish", "operator"],
		["rollback", "operator"],
		["provision", "admin"],
	])("asks for no more than it needs: %s for a token of role %s", async (command, role) => {
		const { out } = await fota(command, "--help");
		const roles = ["viewer", "operator", "admin"].filter((name) => out.includes(`${name}'s`));
		expect(roles[0]).toBe(role);
	});

	test("says that no token was given, whatever its role would be", async () => {
		const refused = await fotaWith({ FOTA_SERVER: url, FOTA_TOKEN: "" }, ["status"]);
		expect(refused).toMatchObject({ code: 1, out: "" });
		expect(refused.error).toMatch(/^fota: no token for the server\n.*--token.*FOTA_TOKEN/);
	});

	test("makes an identity partition for a real board", async () => {
		await fota("keygen", "--out", "other");
		const who = ["--device-id", "board-2", "--device-type", "sensor", "--release-key", "other/release.pub"];
		const where = ["--host", "10.0.0.2", "--port", "80", "--poll-seconds", "60", "--identity-only"];
		const provisioned = await fota("provision", ...who, ...where, "--out", "id.bin");
		expect(provisioned).toMatchObject({ code: 0 });
		expect(provisioned.out).toMatch(/next +fota flash --port \S+ --identity id\.bin\n/);
		const bytes = await readFile(join(folder, "id.bin"));
		expect(bytes.length).toBe(8192);
		const record = parseIdentityRecord(bytes.subarray(0, 4096));
		const identity = parseIdentity(record?.document ?? new Uint8Array(0));
		expect(identity).toMatchObject({ deviceId: "board-2", server: { host: "10.0.0.2", port: 80 } });
		expect(identity.settings.pollSeconds).toBe(60);
	});

	test("shows which devices were taken out of service", async () => {
		const register = { device_type: "sensor", chip: "esp32" };
		for (const id of ["gone-1", "here-1"])
			await post("/api/cloud/fota/devices", { ...register, device_id: id });
		await post("/api/devices/gone-1/decommission", { reason: "sold" });
		const all = await fota("status");
		expect(all.out).toMatch(/^gone-1 .* decommissioned +never$/m);
		expect(all.out).toMatch(/^here-1 .* never reported +never$/m);
		expect((await fota("status", "--device-id", "gone-1")).out).toMatch(/ decommissioned +never\n$/);
		const { out } = await fota("status", "--device-id", "here-1", "--json");
		expect(JSON.parse(out)).toEqual([
			expect.objectContaining({ deviceId: "here-1", isDecommissioned: false }),
		]);
	});

	test("names the fields of its log lines for programs as its help says", async () => {
		const who = { device_id: "logged-1", device_type: "sensor", chip: "esp32" };
		await post("/api/cloud/fota/devices", who);
		await fota("rollback", "--device-id", "logged-1");
		const { out } = await fota("logs", "--json", "--device-id", "logged-1");
		const { details, ...fields } = JSON.parse(out.trim().split("\n").at(-1) ?? "");
		expect(Object.keys(fields)).toEqual(["id", "time", "deviceId", "type"]);
		expect(fields).toMatchObject({ type: "rollback_ordered", deviceId: "logged-1" });
		expect(details).toMatchObject({ order_id: expect.any(Number), reason: "ordered by the operator" });
		expect((await fota("logs", "--help")).out.replaceAll(/\s+/g, " ")).toContain(
			"one JSON object a line: id, time, deviceId, type, and details with the server's own names",
		);
	});

	test("says that a log has no such line, and how many lines there are at a time", async () => {
		const none = await fota("logs", "--device-id", "never-logged");
		expect(none).toMatchObject({ code: 0, out: "", error: expect.stringContaining("no such event") });
		const many = await fota("logs", "--limit", "501");
		expect(many).toMatchObject({ code: 1, error: expect.stringContaining("from 1 to 500") });
	});

	test("goes on in the emulator with an identity for its network", async () => {
		await fota("keygen", "--out", "fourth");
		const who = ["--device-id", "q-1", "--device-type", "sensor", "--release-key", "fourth/release.pub"];
		const where = ["--host", "10.0.2.2", "--port", "80", "--identity-only", "--out", "q-1.id"];
		expect((await fota("provision", ...who, ...where)).out).toMatch(/next +fota qemu --identity q-1\.id\n/);
	});

	test("never overwrites a key", async () => {
		await fota("keygen", "--out", "once");
		const before = await readFile(join(folder, "once", "release.key"), "utf8");
		const again = await fota("keygen", "--out", "once");
		expect(again.code).toBe(1);
		expect(again.error).toContain("exists already");
		expect(await readFile(join(folder, "once", "release.key"), "utf8")).toBe(before);
	});

	test("says what is wrong with a file, and ends with 1", async () => {
		await writeFile(join(folder, "junk.bin"), "not an image");
		const signed = await fota("sign", "junk.bin", "--key", "nokey", "--device-type", "sensor");
		expect(signed.code).toBe(1);
		const published = await fota("publish", "junk.bin");
		expect(published).toMatchObject({ code: 1, out: "" });
		expect(published.error).toContain("not a valid ESP32 application image");
		expect(await fota("build", "--version", "one")).toMatchObject({ code: 1 });
	});

	test("makes and takes no image that is longer than a device takes, and says how long that is", async () => {
		const built = await fota("build", "--version", "9.0.0", "--size", "9000000", "--out", "long.bin");
		expect(built).toMatchObject({ code: 1, out: "" });
		expect(built.error).toMatch(/^fota: 9000000 bytes are more than an image may have: 8388608\n/);
		await expect(stat(join(folder, "long.bin"))).rejects.toThrow("ENOENT");

		await fota("keygen", "--out", "fifth");
		await writeFile(join(folder, "dump.bin"), new Uint8Array(8_388_624).fill(0xe9));
		const sign = ["sign", "dump.bin", "--key", "fifth/release.key", "--device-type", "sensor"];
		for (const command of [sign, ["publish", "dump.bin"]]) {
			const refused = await fota(...command);
			expect(refused).toMatchObject({ code: 1, out: "" });
			expect(refused.error).toMatch(/^fota: the image is longer than 8388608 bytes/);
		}
	});

	test("says of an image that is not there how it comes about, in the words that were typed", async () => {
		const sign = ["sign", "none.bin", "--key", "nokey", "--device-type", "sensor"];
		const error = async (script: string) => (await fotaWith({ npm_lifecycle_event: script }, sign)).error;
		expect(await error("")).toMatch(
			/^fota: none\.bin cannot be read: ENOENT\n +Build it first: fota build --version/,
		);
		expect(await error("fota")).toMatch(/ npm run fota -- build --version .* or npm run fota -- firmware /);
		const usage = await fotaWith({ npm_lifecycle_event: "fota" }, ["sign"]);
		expect(usage.error).toContain("(npm run fota -- <command> --help says more)");
	});

	test("prints the same help where no command is given, whoever started it", async () => {
		const { out } = await fota("--help");
		const env = { npm_lifecycle_event: "fota" };
		expect(await fotaWith(env, [])).toEqual({ code: 1, out: "", error: out });
		expect(out).toContain("(in this folder, fota is: npm run fota --)");
	});

	test("says that the server refused, and why, and ends with 2", async () => {
		const refused = await fotaWith({ FOTA_SERVER: url, FOTA_TOKEN: "wrong-wrong-wrong-wrong" }, ["status"]);
		expect(refused.code).toBe(2);
		expect(refused.error).toContain("auth-failed");
		expect(refused.error).toContain("FOTA_TOKEN");
	});

	test("says that the server was not reached, and ends with 3", async () => {
		const lost = await fotaWith({ FOTA_SERVER: "http://127.0.0.1:9", FOTA_TOKEN: "x" }, ["status"]);
		expect(lost.code).toBe(3);
		expect(lost.error).toContain("no answer from http://127.0.0.1:9");
	});
});
