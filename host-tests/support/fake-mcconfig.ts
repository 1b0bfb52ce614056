// Stands for mcconfig where no SDK is installed: reads the manifest as mcconfig does, and leaves where mcconfig leaves
// them an image (with the version the settings say), a bootloader, the table, an empty otadata and ESP-IDF's sdkconfig. Started through a
// script by tests. FAKE_MCCONFIG: "fails" ends with 2; "fails quietly" is a failed link, after which mcconfig's make file
// copies what an earlier build left and ends with 0.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { encodePartitionTable, parsePartitionsCsv } from "../../cli/image/partition-table.js";
import type { Chip } from "../../src/protocol/release-statement.js";
import { noise, testImage } from "./parts.js";

interface Manifest {
	readonly build?: Readonly<Record<string, string>>;
	readonly include?: string | readonly string[];
}

const moddable = process.env.MODDABLE ?? "";

/** As tools/mcmanifest.js: a manifest's own `build` first, then its includes; the last value stays. */
function readBuild(path: string, build: Record<string, string>): Record<string, string> {
	const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
	for (const [name, value] of Object.entries(manifest.build ?? {}))
		build[name] = value.startsWith("./") ? resolve(dirname(path), value) : value;
	for (const include of [manifest.include ?? []].flat())
		if (!include.includes("$(")) readBuild(resolve(dirname(path), include), build);
	return build;
}

/** As ESP-IDF writes it: what is off is a comment. FAKE_LOST is the name of a setting that the merge loses. */
function generatedSettings(): string {
	const base = "CONFIG_PARTITION_TABLE_CUSTOM=y\nCONFIG_PARTITION_TABLE_OFFSET=0x8000\n";
	return (base + settings)
		.split("\n")
		.filter((line) => !line.startsWith("#") && !line.startsWith(`${process.env.FAKE_LOST}=`))
		.map((line) => line.replace(/^(\w+)=n$/, "# $1 is not set"))
		.join("\n");
}

const args = process.argv.slice(2);
const isDebug = args.includes("-d");
const platform = args[args.indexOf("-p") + 1] ?? "";
const build = readBuild(resolve(args.at(-1) ?? ""), {});
const settings = readFileSync(join(build.SDKCONFIGPATH ?? "", "sdkconfig.defaults"), "utf8");
const version = /^CONFIG_APP_PROJECT_VER="(.*)"$/m.exec(settings)?.[1] ?? "none";
const chip = (platform.split("/")[1]?.replace("nodemcu", "esp32") ?? "") as Chip;

writeFileSync(join(moddable, "called.json"), JSON.stringify({ args, build, cwd: process.cwd(), settings }));
process.stdout.write("# xsc main\n");
process.stderr.write("a warning of the compiler\n");
if (process.env.FAKE_MCCONFIG === "fails") {
	process.stderr.write(
		"bash: line 1: \x1b[31midf.py: command not found\nmake: *** [makefile:7: build] Error 127\n",
	);
	process.exit(2);
}

const below = join(platform, isDebug ? "debug" : "release", build.NAME ?? "");
const outputs = join(moddable, "build", "bin", below);
const idf = join(moddable, "build", "tmp", below, `xsProj-${chip}`, "build");
mkdirSync(outputs, { recursive: true });
mkdirSync(idf, { recursive: true });
writeFileSync(join(idf, "..", "sdkconfig"), generatedSettings());
if (process.env.FAKE_MCCONFIG !== "fails quietly") {
	const sizeBytes = Number(process.env.FAKE_IMAGE_BYTES ?? 65_536);
	const stated = process.env.FAKE_VERSION ?? version;
	writeFileSync(join(idf, "xs_esp32.bin"), testImage({ chip, version: stated, sizeBytes }));
}
if (existsSync(join(idf, "xs_esp32.bin")))
	copyFileSync(join(idf, "xs_esp32.bin"), join(outputs, "xs_esp32.bin"));
const table = encodePartitionTable(parsePartitionsCsv(readFileSync(build.PARTITIONS_FILE ?? "", "utf8")));
writeFileSync(join(outputs, "bootloader.bin"), noise(20_000));
writeFileSync(join(outputs, "partition-table.bin"), table.subarray(0, 0xc00));
writeFileSync(join(outputs, "ota_data_initial.bin"), new Uint8Array(0x2000).fill(0xff));
