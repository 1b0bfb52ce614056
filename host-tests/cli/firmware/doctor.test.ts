import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BOARD_KINDS, findTarget } from "../../../cli/firmware/build-target.js";
import { type Check, checkLines } from "../../../cli/firmware/check.js";
import { checkProject } from "../../../cli/firmware/project-checks.js";
import { checkToolchain } from "../../../cli/firmware/toolchain.js";
import { PROJECT_ROOT } from "../../../cli/image/project-root.js";
import { checkSerialPorts, usbIdsOf } from "../../../cli/serial/serial-ports.js";
import type { Chip } from "../../../src/protocol/release-statement.js";
import { makeToolchain, writeProgram } from "../../support/fake-toolchain.js";
import { runFota } from "../../support/run-fota.js";

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-doctor-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const bad = (checks: readonly Check[]) => checks.filter(({ isOk }) => !isOk);

describe("the tools", () => {
	test("pass where they are what the SDK asks for", async () => {
		const tools = await makeToolchain(join(folder, "good"));
		const checks = await checkToolchain({ ...process.env, ...tools }, "esp32c3");
		expect(bad(checks)).toEqual([]);
		expect(checks.map(({ found }) => found).join(" ")).toMatch(/8\.2\.3.*mcconfig.*v6\.0\.2.*riscv32.*6\./);
	});

	test.each([
		["v6.0", true],
		["v6.0.1", true],
		["v6.1", false],
		["v5.5.2", false],
	])("as ESP-IDF %s are accepted: %s", async (idf, isOk) => {
		const tools = await makeToolchain(join(folder, `idf-${idf}`), { idf });
		const checks = await checkToolchain({ ...process.env, ...tools }, "esp32");
		const check = checks.find(({ title }) => title === "ESP-IDF");
		expect(check).toMatchObject({ isOk, found: idf });
		if (!isOk) expect(check?.next).toContain("git checkout v6.0");
	});

	test("are refused where git knows no version of ESP-IDF, as after a shallow clone of a branch", async () => {
		const tools = await makeToolchain(join(folder, "idf-nothing"), { idf: "nothing" });
		const checks = await checkToolchain({ ...process.env, ...tools }, "esp32");
		expect(bad(checks)).toMatchObject([{ title: "ESP-IDF", found: expect.stringMatching(/^[0-9a-f]+$/) }]);
	});

	test("of another SDK are refused", async () => {
		const tools = await makeToolchain(join(folder, "sdk"), { sdk: "8.3.0" });
		expect(bad(await checkToolchain({ ...process.env, ...tools }, "esp32s3"))).toMatchObject([
			{ title: "Moddable SDK", found: "8.3.0" },
		]);
	});

	test("are refused where install.sh did not come to its end", async () => {
		const tools = await makeToolchain(join(folder, "half"));
		const check = async (chip: Chip) => bad(await checkToolchain({ ...process.env, ...tools }, chip));
		const compilers = join(tools.IDF_TOOLS_PATH, "tools", "riscv32-esp-elf");
		// One that ESP-IDF does not want, whole; its own, unpacked in part.
		await cp(join(compilers, "esp-15.2.0"), join(compilers, "esp-14.2.0"), { recursive: true });
		await rm(join(compilers, "esp-15.2.0", "riscv32-esp-elf", "bin"), { recursive: true });
		await rm(join(tools.IDF_TOOLS_PATH, "python_env", "idf6.0_py3.13_env", "bin"), { recursive: true });
		expect(await check("esp32c3")).toMatchObject([
			{
				title: "compiler",
				found: `no riscv32-esp-elf-gcc in ${compilers}/esp-15.2.0`,
				next: expect.stringContaining("$IDF_PATH/install.sh esp32c3"),
			},
			{ title: "Python of ESP-IDF", next: expect.stringContaining("install.sh") },
		]);
		expect(await check("esp32s3")).toHaveLength(1);
		// Where ESP-IDF does not say which it wants, any that is whole.
		await rm(join(tools.IDF_PATH, "tools", "tools.json"));
		expect((await check("esp32c3")).map(({ title }) => title)).toEqual(["Python of ESP-IDF"]);
		// What export.sh has put on the PATH is what a build uses.
		await writeProgram(join(tools.IDF_PATH, "tools", "idf.py"), "true");
		const path = `${join(tools.IDF_PATH, "tools")}:${process.env.PATH}`;
		expect(bad(await checkToolchain({ ...process.env, ...tools, PATH: path }, "esp32c3"))).toEqual([]);
	});

	test("that are missing are named, all at once, each with what to do", async () => {
		const nothing = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder };
		const checks = await checkToolchain(nothing, "esp32c3");
		expect(bad(checks).map(({ title }) => title)).toEqual([
			"Moddable SDK",
			"SDK tools",
			"ESP-IDF",
			"compiler",
			"Python of ESP-IDF",
		]);
		// What names a folder that is not known yet helps nobody.
		expect(
			bad(checks)
				.map(({ next }) => next)
				.join(),
		).not.toContain("$");
		expect(bad(checks).every(({ next }) => next !== undefined)).toBe(true);
		const strange = { ...nothing, MODDABLE: folder, IDF_PATH: join(folder, "none") };
		expect(bad(await checkToolchain(strange, "esp32c3")).map(({ found }) => found)).toEqual([
			`no tools/VERSION in ${folder}`,
			"no mcconfig",
			`${join(folder, "none")} is no git checkout`,
			expect.stringContaining("no riscv32-esp-elf"),
			expect.stringContaining("python_env/idf6.0_*"),
		]);
	});
});

describe("the project", () => {
	test.each(BOARD_KINDS)("has a table and settings that let a device come back (%s)", async (kind) => {
		const target = await findTarget({ platform: "esp32/esp32c3", kind });
		expect(bad(await checkProject(target))).toEqual([]);
	});

	async function projectWith(change: (file: string, text: string) => string): Promise<readonly Check[]> {
		const root = await mkdtemp(join(folder, "project-"));
		await mkdir(join(root, "sdkconfig"));
		for (const file of ["partitions.csv", "sdkconfig/sdkconfig.defaults"])
			await writeFile(join(root, file), change(file, await readFile(join(PROJECT_ROOT, file), "utf8")));
		return checkProject(await findTarget({ platform: "esp32/nodemcu", kind: "4mb", projectRoot: root }));
	}

	test.each([
		["CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y", "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=n", "rollback"],
		["CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS=n", "", "image check at boot"],
		["CONFIG_ESP_TASK_WDT_EN=y", "#CONFIG_ESP_TASK_WDT_EN=y", "watchdog"],
		["CONFIG_ESP_TASK_WDT_PANIC=y", "CONFIG_ESP_TASK_WDT_PANIC=n", "watchdog's end"],
		[/^CONFIG_APP_PROJECT_VER=.*$/m, "", "version line"],
		["FROM_CONFIG=y", "FROM_CONFIG=n", "version in the image"],
	] as const)("fails with %s → %s", async (from, to, title) => {
		const checks = await projectWith((file, text) =>
			file.startsWith("sdk") ? text.replace(from, to) : text,
		);
		expect(bad(checks).map((check) => check.title)).toEqual([title]);
	});

	test.each([
		[/ota_1,.*/, "ota_1, app, ota_1, 0x210000, 0x1e0000", "the two update slots are not equal"],
		[/ota_1,.*/, "ota_1, app, ota_1, 0x210000, 0x200000", "it ends at 4.0625 MB, the flash at 4 MB"],
		[/ota_1,.*/, "", "1 update slots instead of ota_0 and ota_1"],
		[
			/ota_0,.*/,
			"ota_0, app, ota_0, 0x21000, 0x1e0000",
			"partitions, line 8: the offset is not a multiple of 65536",
		],
		[/fota_id,.*/, "", "no fota_id of 2 sectors for the device's identity"],
		[/otadata,.*/, "", "no otadata of 0x2000 bytes, so no boot records"],
		[
			/otadata,.*/,
			"otadata, data, ota, 0x18000, 0x2000",
			"partitions, line 5: it overlaps what stands before it",
		],
	] as const)("fails with a table whose line %s is: %s", async (from, to, found) => {
		const checks = await projectWith((file, text) =>
			file.startsWith("part") ? text.replace(from, to) : text,
		);
		expect(bad(checks)).toMatchObject([{ title: "partition table", found }]);
	});
});

describe("the serial ports", () => {
	test("are those of USB adapters and boards, and must be allowed", async () => {
		const devices = join(folder, "dev");
		await mkdir(devices);
		for (const name of ["ttyUSB1", "ttyACM0", "ttyS0", "null"]) await writeFile(join(devices, name), "");
		const checks = await checkSerialPorts(devices);
		expect(checks.map(({ found }) => found)).toEqual([join(devices, "ttyACM0"), join(devices, "ttyUSB1")]);
		await chmod(join(devices, "ttyUSB1"), 0);
		// Root may open everything.
		if (process.getuid?.() !== 0) expect(bad(await checkSerialPorts(devices))[0]?.next).toContain("dialout");
		// A build needs no board.
		expect(await checkSerialPorts(join(folder, "no-dev"))).toMatchObject([{ isOk: true, found: "none" }]);
	});

	test("have their USB ids in sysfs, for an adapter and for a chip with USB of its own", async () => {
		const sys = join(folder, "sys");
		for (const [usb, tty, below] of [
			["1-1", "ttyUSB0", "1-1:1.0/ttyUSB0"],
			["1-2", "ttyACM0", "1-2:1.0"],
		] as const) {
			await mkdir(join(sys, usb, below), { recursive: true });
			await mkdir(join(sys, "class", tty), { recursive: true });
			await symlink(join(sys, usb, below), join(sys, "class", tty, "device"));
			await writeFile(join(sys, usb, "idVendor"), usb === "1-1" ? "10c4\n" : "303a\n");
			await writeFile(join(sys, usb, "idProduct"), usb === "1-1" ? "ea60\n" : "1001\n");
			await writeFile(join(folder, tty), "");
		}
		const ids = (tty: string) => usbIdsOf(join(folder, tty), join(sys, "class"));
		expect(await ids("ttyUSB0")).toEqual({ usbVendorId: 0x10c4, usbProductId: 0xea60 });
		expect(await ids("ttyACM0")).toEqual({ usbVendorId: 0x303a, usbProductId: 0x1001 });
		expect(await ids("nothing")).toEqual({});
	});
});

describe("fota doctor", () => {
	test("prints a line a check and ends with 0 when all is well, with 1 when something is not", async () => {
		const env = { ...(await makeToolchain(join(folder, "for-cli"))) };
		const well = await runFota(["doctor", "--qemu"], { cwd: folder, env });
		expect(well).toMatchObject({ code: 0, error: expect.not.stringContaining("failed") });
		expect(well.out).toMatch(/^✓ Moddable SDK +8\.2\.3$/m);
		const ill = await runFota(["doctor", "--qemu"], { cwd: folder, env: { ...env, MODDABLE: "/nowhere" } });
		expect(ill.code).toBe(1);
		expect(ill.out).toMatch(/^✗ Moddable SDK +no tools\/VERSION in \/nowhere\n +→ Set MODDABLE/m);
		expect(ill.error).toMatch(/2 of [0-9]+ checks failed/);
	});

	test("refuses a target that is none", async () => {
		const refused = await runFota(["doctor", "--target", "esp8266"], { cwd: folder });
		expect(refused).toMatchObject({ code: 1, out: "" });
		expect(refused.error).toContain('"esp8266" is not a target');
	});
});

test("a check that failed or is a note has its next step below it", () => {
	const lines = checkLines([
		{ title: "a", isOk: true, found: "1" },
		{ title: "long", isOk: false, found: "2", next: "do" },
		{ title: "b", isOk: true, isNote: true, found: "3", next: "go" },
	]);
	expect(lines).toEqual(["✓ a     1", "✗ long  2", "        → do", "– b     3", "        → go"]);
});
