import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPartsFolder } from "../../../cli/firmware/parts-folder.js";
import { noise, testIdentity, writeParts } from "../../support/parts.js";
import { runFota } from "../../support/run-fota.js";

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-parts-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a folder of parts", () => {
	test("is read as it was written, in the order of the flash", async () => {
		const here = join(folder, "good");
		const { image, bootloader } = await writeParts(here, { chip: "esp32", version: "2.0.0" });
		const read = await readPartsFolder(here);
		expect(read).toMatchObject({ name: "xs-fota", version: "2.0.0", chip: "esp32" });
		expect(read.parts.map(({ name, offsetBytes }) => [name, offsetBytes])).toEqual([
			["bootloader", 0x1000],
			["partition-table", 0x8000],
			["otadata", 0x19000],
			["firmware", 0x20000],
		]);
		expect(Buffer.from(image).equals(read.parts[3]?.bytes ?? new Uint8Array(0))).toBe(true);
		expect(Buffer.from(bootloader).equals(read.parts[0]?.bytes ?? new Uint8Array(0))).toBe(true);
	});

	type Manifest = { builds: { chipFamily: string; parts: { path: string; offset: unknown }[] }[] };

	async function folderWith(change: (manifest: Manifest) => void, files: Record<string, Uint8Array> = {}) {
		const here = await mkdtemp(join(folder, "bad-"));
		await writeParts(here, { chip: "esp32c3" });
		const path = join(here, "manifest.json");
		const manifest = JSON.parse(await readFile(path, "utf8")) as Manifest;
		change(manifest);
		await writeFile(path, JSON.stringify(manifest));
		for (const [name, bytes] of Object.entries(files)) await writeFile(join(here, name), bytes);
		return readPartsFolder(here);
	}
	const part = (manifest: Manifest, index: number) => {
		const found = manifest.builds[0]?.parts[index];
		if (!found) throw new Error(`there is no part ${index}`);
		return found;
	};
	const nothing = () => {};

	test.each<[string, (manifest: Manifest) => void, Record<string, Uint8Array>, string]>([
		[
			"for a chip it does not know",
			(m) => ((m.builds[0] as { chipFamily: string }).chipFamily = "ESP8266"),
			{},
			"is not for one chip",
		],
		["for no chip", (m) => m.builds.pop(), {}, "is not for one chip"],
		["with a negative offset", (m) => (part(m, 0).offset = -4096), {}, "is not a list of parts: "],
		["with a text for an offset", (m) => (part(m, 0).offset = "0x1000"), {}, "is not a list of parts: "],
		[
			"with a part that is missing",
			(m) => (part(m, 3).path = "none.bin"),
			{},
			"none.bin cannot be read: ENOENT",
		],
		["with an empty part", nothing, { "firmware.bin": new Uint8Array(0) }, "firmware.bin is empty"],
		[
			"with a part where no partition begins",
			(m) => (part(m, 3).offset = 0x30000),
			{},
			"offset 0x30000, where no partition begins",
		],
		[
			"with a bootloader that reaches into the table",
			nothing,
			{ "bootloader.bin": noise(0x8001) },
			"bootloader has 32769 bytes, its place 32768",
		],
		[
			"with two parts in one place",
			(m) => (part(m, 2).offset = 0x20000),
			{},
			"two parts are for offset 0x20000",
		],
		["with a damaged table", nothing, { "partition-table.bin": noise(0xc00) }, "partition table in"],
		[
			"with a table cut off before its checksum",
			nothing,
			{ "partition-table.bin": new Uint8Array(32).fill(0xaa) },
			"partition table in",
		],
	])("is refused %s", async (_, change, files, message) => {
		await expect(folderWith(change, files)).rejects.toThrow(message);
	});

	test("is refused where there is none", async () => {
		await expect(readPartsFolder(join(folder, "none"))).rejects.toThrow(
			"manifest.json cannot be read: ENOENT",
		);
	});
});

describe("fota web-manifest", () => {
	const webManifest = (...args: readonly string[]) => runFota(["web-manifest", ...args], { cwd: folder });

	test("lists several chips with paths from where it lies, and no identity unless it is asked for", async () => {
		await writeParts(join(folder, "web", "c3"), { chip: "esp32c3", version: "1.0.0" });
		await writeParts(join(folder, "web", "s3"), { chip: "esp32s3", version: "1.0.0" });
		await writeFile(join(folder, "web", "board.id"), testIdentity());
		const parts = ["--parts", "web/c3", "web/s3", "--out", "web/manifest.json"];
		expect(await webManifest(...parts)).toMatchObject({ code: 0 });
		const read = async () =>
			JSON.parse(await readFile(join(folder, "web", "manifest.json"), "utf8")) as unknown;
		const files = (chip: string) => [
			{ path: `${chip}/bootloader.bin`, offset: 0 },
			{ path: `${chip}/partition-table.bin`, offset: 0x8000 },
			{ path: `${chip}/otadata.bin`, offset: 0x19000 },
			{ path: `${chip}/firmware.bin`, offset: 0x20000 },
		];
		expect(await read()).toEqual({
			name: "xs-fota",
			version: "1.0.0",
			builds: [
				{ chipFamily: "ESP32-C3", parts: files("c3") },
				{ chipFamily: "ESP32-S3", parts: files("s3") },
			],
		});
		const one = ["--parts", "web/c3", "--out", "web/manifest.json", "--identity", "web/board.id"];
		expect(await webManifest(...one)).toMatchObject({ code: 0 });
		expect(JSON.stringify(await read())).toContain('{"path":"board.id","offset":114688}');
	});

	test("refuses two versions, and a chip twice", async () => {
		await writeParts(join(folder, "web", "old"), { chip: "esp32", version: "0.9.0" });
		await writeParts(join(folder, "web", "again"), { chip: "esp32c3", version: "1.0.0" });
		const versions = await webManifest("--parts", "web/again", "web/old", "--out", "m.json");
		expect(versions).toMatchObject({ code: 1, error: expect.stringContaining("different versions") });
		const chips = await webManifest("--parts", "web/again", "web/again", "--out", "m.json");
		expect(chips).toMatchObject({ code: 1, error: expect.stringContaining("the same chip") });
	});
});
