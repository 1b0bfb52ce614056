// `fota settings` on files: what is shown, what is changed and what stays, and what never shows.
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { buildFlash, partitionBytes, smallPartitions } from "../../cli/image/flash-image.js";
import { hexEncode, utf8Encode } from "../../src/protocol/encoding.js";
import {
	DEFAULT_SETTINGS,
	encodeIdentity,
	encodeIdentityRecord,
	type Identity,
	parseIdentity,
} from "../../src/protocol/identity.js";
import { findIdentity } from "../../src/protocol/identity-partition.js";
import { runFota } from "../support/run-fota.js";

const SECTOR_BYTES = 4096;
const PASSWORD = "correct horse battery";
const OLD_PASSWORD = "the one before";

const IDENTITY: Identity = {
	deviceId: "lamp-1",
	deviceKey: new Uint8Array(32).fill(0xab),
	deviceType: "lamp",
	releaseKeys: [Uint8Array.of(4, ...new Uint8Array(64).fill(2))],
	server: { host: "192.168.1.10", port: 8080 },
	settings: DEFAULT_SETTINGS,
	wifi: { ssid: "Workshop", password: OLD_PASSWORD },
	push: false,
};

const folder = await mkdtemp(join(tmpdir(), "xs-fota-settings-"));
const file = join(folder, "lamp-1.id");

beforeEach(() => write(encodeIdentity(IDENTITY)));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(document: Uint8Array): Promise<void> {
	const bytes = new Uint8Array(2 * SECTOR_BYTES).fill(0xff);
	bytes.set(encodeIdentityRecord({ sequence: 1, document }));
	await writeFile(file, bytes);
}

const settings = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
	runFota(["settings", "--image", file, ...args], { cwd: folder, env });

function stored(partition: Uint8Array) {
	const found = findIdentity({
		read: (index) => partition.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
		onUnusable: () => {},
	});
	return found ?? expect.unreachable("there is no identity");
}

const storedInFile = async () => stored(new Uint8Array(await readFile(file)));

describe("fota settings shows", () => {
	test("every setting, and of secrets only that they are there", async () => {
		const before = await readFile(file);
		const { code, out, error } = await settings([]);
		expect(code).toBe(0);
		expect(out).toContain("settings of lamp-1 (identity 1)");
		expect(out).toMatch(/device-key +set\n/);
		expect(out).toMatch(/wifi-ssid +Workshop\n/);
		expect(out).toMatch(/wifi-password +set\n/);
		expect(out).toMatch(/hostname +lamp-1\n/);
		expect(out).toMatch(/push +no\n/);
		expect(out).toMatch(/poll-seconds +3600\n/);
		for (const secret of [OLD_PASSWORD, hexEncode(IDENTITY.deviceKey)])
			expect(out + error).not.toContain(secret);
		expect(Buffer.compare(await readFile(file), before)).toBe(0);
	});

	test("nothing that moves the terminal's cursor", async () => {
		await write(encodeIdentity({ ...IDENTITY, wifi: { ssid: "a\u202eb", password: "" } }));
		const { out } = await settings([]);
		expect(out).toContain("a?b");
		expect(out).toMatch(/wifi-password +not set\n/);
	});
});

describe("fota settings changes", () => {
	test("what is named, and nothing else", async () => {
		const { code, out } = await settings([
			"--set",
			"server=updates.example:80",
			"push=yes",
			"--set",
			"ntp=pool.ntp.org",
		]);
		expect(code).toBe(0);
		expect(out).toMatch(/host +192\.168\.1\.10 → updates\.example\n/);
		expect(out).toMatch(/push +no → yes\n/);
		expect(out).not.toMatch(/wifi/);
		expect(out).toContain("written and verified: identity 2");
		const { identity, sequence, sectorIndex } = await storedInFile();
		expect({ sequence, sectorIndex }).toEqual({ sequence: 2, sectorIndex: 1 });
		expect(identity).toEqual({
			...IDENTITY,
			server: { host: "updates.example", port: 80 },
			push: true,
			ntp: "pool.ntp.org",
		});
		expect((await stat(file)).mode & 0o777).toBe(0o600);
	});

	test("the password from a file or the environment, without ever printing it", async () => {
		await writeFile(join(folder, "password"), `${PASSWORD}\nnot this\n`);
		const first = await settings(["--set", "wifi-password", "--wifi-password-file", "password"]);
		expect(first).toMatchObject({ code: 0 });
		expect(first.out).toMatch(/wifi-password +set → set anew\n/);
		expect((await storedInFile()).identity.wifi).toEqual({ ssid: "Workshop", password: PASSWORD });
		const second = await settings(["--set", "wifi-password"], { FOTA_WIFI_PASSWORD: `${PASSWORD} 2` });
		expect((await storedInFile()).identity.wifi?.password).toBe(`${PASSWORD} 2`);
		expect((await storedInFile()).sectorIndex).toBe(0);
		for (const { out, error } of [first, second]) expect(out + error).not.toContain(PASSWORD);
	});

	test("back to the default what is unset", async () => {
		await settings(["--set", "hostname=boiler", "led-pin=2", "poll-seconds=60"]);
		expect((await storedInFile()).identity).toMatchObject({
			hostname: "boiler",
			led: { pin: 2, active: "high" },
		});
		await settings(["--unset", "hostname", "led-pin", "poll-seconds", "wifi-ssid"]);
		const { wifi: _wifi, ...rest } = IDENTITY;
		expect((await storedInFile()).identity).toEqual(rest);
		await write(encodeIdentity(IDENTITY));
		await settings(["--unset", "wifi-password"]);
		expect((await storedInFile()).identity.wifi).toEqual({ ssid: "Workshop", password: "" });
	});

	test("no field that only a newer firmware knows", async () => {
		const fields = { ...JSON.parse(Buffer.from(encodeIdentity(IDENTITY)).toString()), tomorrow: { a: [1] } };
		await write(utf8Encode(JSON.stringify(fields)));
		await settings(["--set", "port=81"]);
		const document = JSON.parse(Buffer.from((await storedInFile()).document).toString());
		expect(document).toEqual({ ...fields, server: { host: "192.168.1.10", port: 81 } });
	});

	test("nothing where all is as it is wanted", async () => {
		const before = await readFile(file);
		const { code, out } = await settings(["--set", "host=192.168.1.10"]);
		expect(code).toBe(0);
		expect(out).toContain("nothing was written");
		expect(Buffer.compare(await readFile(file), before)).toBe(0);
	});

	test("the flash of a device in its one sector, by the table that lies there", async () => {
		const flash = join(folder, "lamp-1.flash");
		const bytes = buildFlash({ identity: IDENTITY, partitions: smallPartitions(65_536) });
		await writeFile(flash, bytes);
		const { code } = await runFota(["settings", "--image", flash, "--set", "port=81"], { cwd: folder });
		expect(code).toBe(0);
		const after = new Uint8Array(await readFile(flash));
		expect(stored(partitionBytes(after, "fota_id")).identity.server.port).toBe(81);
		partitionBytes(after, "fota_id").fill(0xff, SECTOR_BYTES);
		expect(Buffer.compare(after, bytes)).toBe(0);
	});
});

describe("fota settings refuses", () => {
	test.each([
		{
			args: ["--set", "device-key=00"],
			said: /device-key is not changed here: the server must have the same/,
		},
		{ args: ["--set", "release-key=04"], said: /not changed here: it decides which firmware/ },
		{ args: ["--set", `wifi-password=${PASSWORD}`], said: /not taken from the command line/ },
		{ args: ["--set", "wifi-password"], said: /password of the Wi-Fi is not given/ },
		{ args: ["--set", "colour=red"], said: /no such setting[\s\S]*There are server, host/ },
		{ args: ["--set", "port=0"], said: /port cannot be that[\s\S]*1 to 65535/ },
		{ args: ["--set", "server=300.1.1.1"], said: /host cannot be that/ },
		{ args: ["--set", "confirm-seconds=5"], said: /would not take this: settings\.confirm_s/ },
		{ args: ["--set", "push=maybe"], said: /One of yes, no/ },
		{ args: ["--set", "ntp"], said: /ntp to what/ },
		{ args: ["--set", "port=81", "--unset", "port"], said: /cannot be without port/ },
		{ args: ["--set", "server=a:81", "port=82"], said: /port is named twice/ },
		{ args: ["--unset", "wifi-ssid", "--set", "wifi-password"], said: /which Wi-Fi/ },
	])("$args and writes nothing", async ({ args, said }) => {
		const before = await readFile(file);
		const { code, out, error } = await settings(args);
		expect(code).toBe(1);
		expect(error).toMatch(said);
		expect(out + error).not.toContain(PASSWORD);
		expect(Buffer.compare(await readFile(file), before)).toBe(0);
	});

	test("a Wi-Fi of which it is not said whether it has a password", async () => {
		const { wifi: _wifi, ...cabled } = IDENTITY;
		await write(encodeIdentity(cabled));
		expect((await settings(["--set", "wifi-ssid=x"])).error).toMatch(/--unset wifi-password/);
		expect((await settings(["--set", "wifi-ssid=x", "--unset", "wifi-password"])).code).toBe(0);
		expect((await storedInFile()).identity.wifi).toEqual({ ssid: "x", password: "" });
	});

	test("another Wi-Fi with the password of the one before, unless that is said", async () => {
		const before = await readFile(file);
		const refused = await settings(["--set", "wifi-ssid=Cellar"]);
		expect(refused).toMatchObject({ code: 1, out: "" });
		expect(refused.error).toMatch(/password of the Wi-Fi is not given[\s\S]*--keep-password/);
		expect((await settings(["--set", "wifi-password", "--keep-password"])).error).toContain(
			"no password to keep",
		);
		expect(Buffer.compare(await readFile(file), before)).toBe(0);
		expect((await settings(["--set", "wifi-ssid=Workshop", "port=81"])).code).toBe(0);
		expect((await settings(["--set", "wifi-ssid=Cellar"], { FOTA_WIFI_PASSWORD: PASSWORD })).code).toBe(0);
		expect((await storedInFile()).identity.wifi).toEqual({ ssid: "Cellar", password: PASSWORD });
		expect((await settings(["--set", "wifi-ssid=Attic", "--keep-password"])).code).toBe(0);
		expect((await storedInFile()).identity.wifi).toEqual({ ssid: "Attic", password: PASSWORD });
		expect((await settings(["--set", "wifi-ssid=Shed", "--unset", "wifi-password"])).code).toBe(0);
		expect((await storedInFile()).identity.wifi).toEqual({ ssid: "Shed", password: "" });
	});

	test("a device that is running, before anything is shown or asked for", async () => {
		const device = spawn("flock", [file, "cat"], { stdio: ["pipe", "ignore", "ignore"] });
		onTestFinished(() => void device.kill());
		const isLocked = () => spawnSync("flock", ["-n", file, "true"]).status === 1;
		await expect.poll(isLocked, { timeout: 10_000 }).toBe(true);
		const { code, out, error } = await settings(["--set", "port=81", "wifi-password"]);
		expect({ code, out }).toEqual({ code: 1, out: "" });
		expect(error).toMatch(/a simulated device is running on .*\n +Stop it first/);
		expect(error).not.toContain("--out");
		// To look at it does no harm.
		expect((await settings([])).code).toBe(0);
	});

	test("files without an identity, and to work on nothing or on two things", async () => {
		const run = (...args: readonly string[]) => runFota(["settings", ...args], { cwd: folder });
		expect((await run()).error).toContain("whose settings?");
		expect((await run("--image", file, "--port", "/dev/ttyUSB99")).error).toContain("whose settings?");
		const other = join(folder, "other");
		await writeFile(other, new Uint8Array(2 * SECTOR_BYTES).fill(0xff));
		expect((await run("--image", other)).error).toContain("no identity in this flash");
		await writeFile(other, new Uint8Array(100));
		expect((await run("--image", other)).error).toContain("neither an identity nor the flash");
		await writeFile(other, new Uint8Array(65_536));
		expect((await run("--image", other)).error).toContain("no partition table");
	});

	test("says which record it could not use, and takes the other", async () => {
		const bytes = new Uint8Array(await readFile(file));
		bytes.set(encodeIdentityRecord({ sequence: 2, document: utf8Encode("{}") }), SECTOR_BYTES);
		await writeFile(file, bytes);
		const { code, out, error } = await settings(["--set", "port=81"]);
		expect({ code, out }).toMatchObject({ code: 0 });
		expect(error).toContain("identity 2 is unusable");
		expect(parseIdentity((await storedInFile()).document).server.port).toBe(81);
	});
});
