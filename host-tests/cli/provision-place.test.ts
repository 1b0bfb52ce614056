// `fota provision` and the place a device stands in: where the Wi-Fi password comes from, and where it never shows. The
// prompt is asked through a real terminal.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type App, createApp } from "../../server/app.js";
import { type Identity, parseIdentity, parseIdentityRecord } from "../../src/protocol/identity.js";
import { runFota } from "../support/run-fota.js";
import { typescriptCommand } from "../support/typescript-process.js";

const PASSWORD = "correct horse battery";

let folder: string;
let app: App;
let environment: Record<string, string>;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-place-"));
	app = await createApp({ logLevel: "silent" });
	environment = { FOTA_SERVER: await app.listen(), FOTA_TOKEN: app.adminToken };
	await fota(["keygen", "--out", "keys"]);
});

afterAll(async () => {
	await app?.close();
	await rm(folder, { recursive: true, force: true });
});

async function fota(args: readonly string[], more: Record<string, string> = {}) {
	const { code, out, error } = await runFota(args, { cwd: folder, env: { ...environment, ...more } });
	return { code, said: out + error };
}

const provision = (id: string, ...args: readonly string[]) => [
	...["provision", "--device-id", id, "--device-type", "sensor", "--release-key", "keys/release.pub"],
	...["--host", "updates.example", "--port", "80", "--identity-only", "--out", `${id}.bin`, ...args],
];

async function identityOf(id: string): Promise<Identity> {
	const bytes = await readFile(join(folder, `${id}.bin`));
	return parseIdentity(parseIdentityRecord(bytes.subarray(0, 4096))?.document ?? new Uint8Array(0));
}

describe("fota provision", () => {
	test("takes the password from the first line of a file, and everything else from options", async () => {
		await writeFile(join(folder, "password"), `${PASSWORD}\nnot this\n`);
		const wifi = ["--wifi-ssid", "Café", "--wifi-password-file", "password"];
		const more = [
			"--hostname",
			"boiler",
			"--led-pin",
			"2",
			"--led-active",
			"low",
			"--ntp",
			"pool.ntp.org",
			"--no-push",
		];
		const result = await fota(provision("one", ...wifi, ...more));
		expect(result).toMatchObject({ code: 0 });
		expect(result.said).not.toContain(PASSWORD);
		expect(await identityOf("one")).toMatchObject({
			server: { host: "updates.example" },
			wifi: { ssid: "Café", password: PASSWORD },
			hostname: "boiler",
			led: { pin: 2, active: "low" },
			ntp: "pool.ntp.org",
			push: false,
		});
	});

	test("takes it from the environment", async () => {
		const result = await fota(provision("two", "--wifi-ssid", "x"), { FOTA_WIFI_PASSWORD: PASSWORD });
		expect(result).toMatchObject({ code: 0 });
		const identity = await identityOf("two");
		expect(identity.wifi).toEqual({ ssid: "x", password: PASSWORD });
		for (const name of ["hostname", "led", "ntp", "push"]) expect(identity).not.toHaveProperty(name);
	});

	test("asks for it at a terminal, without showing it", async () => {
		const command = [...typescriptCommand("cli/main.ts"), ...provision("three", "--wifi-ssid", "x")];
		const child = spawn("script", ["-qec", command.map((part) => `'${part}'`).join(" "), "/dev/null"], {
			cwd: folder,
			env: { ...process.env, ...environment },
		});
		let shown = "";
		child.stdout.on("data", (bytes: Buffer) => {
			const before = shown;
			shown += bytes.toString();
			if (!before.includes("Password of") && shown.includes("Password of"))
				child.stdin.write(`${PASSWORD}\r`);
		});
		const code = await new Promise((resolve) => child.on("exit", resolve));
		expect(shown).toContain("Password of the Wi-Fi x: ");
		expect(shown).not.toContain(PASSWORD);
		expect(code).toBe(0);
		expect((await identityOf("three")).wifi?.password).toBe(PASSWORD);
	});

	test("asks for none where the network has none", async () => {
		expect(await fota(provision("four", "--wifi-ssid", "x", "--wifi-open"))).toMatchObject({ code: 0 });
		expect((await identityOf("four")).wifi).toEqual({ ssid: "x", password: "" });
	});

	test.each([
		{
			args: ["--wifi-ssid", "x"],
			more: {},
			said: /password of the Wi-Fi is not given[\s\S]*--wifi-password-file/,
		},
		{
			args: ["--wifi-ssid", "x"],
			more: { FOTA_WIFI_PASSWORD: "short" },
			said: /not 8 to 63[\s\S]*--wifi-open/,
		},
		{ args: ["--wifi-open"], more: {}, said: /which Wi-Fi/ },
		{
			args: ["--wifi-ssid", "s".repeat(33), "--wifi-open"],
			more: {},
			said: /not a valid identity: wifi\.ssid/,
		},
		{ args: ["--led-pin", "60"], more: {}, said: /not a valid identity: led\.pin/ },
		{ args: ["--hostname", "a.b"], more: {}, said: /letters, digits and hyphens/ },
		{ args: ["--host", "300.1.1.1"], more: {}, said: /IPv4 address/ },
	])("refuses $args", async ({ args, more, said }) => {
		const result = await fota(provision("five", ...args), more);
		expect(result.code).toBe(1);
		expect(result.said).toMatch(said);
		expect(result.said).not.toContain("short");
	});

	test("has told the server of none that it refused", async () => {
		const { said } = await fota(["status"]);
		expect(said).toContain("four");
		expect(said).not.toContain("five");
	});
});
