// npm run bench: one update of 1,040 KB on the simulator over loopback, in the product's way and in the way of the
// deployed system it replaces, in one run. Prints ratios, not times of this machine; modelled time is the simulator's.
import { Command } from "commander";
import { buildFirmware } from "../cli/image/firmware-build.js";
import { PROJECT_ROOT } from "../cli/image/project-root.js";
import { type MeasuredUpdate, runUpdate, type UpdateOptions } from "./bench/run-update.js";

const IMAGE_BYTES = 1040 * 1024;
const SLOT_BYTES = 17 * 65_536;
const LINK_BYTES_PER_S = 100_000;
const LINK_RTT_MS = 50;
/** Receive window of the model, in bytes: what sdkconfig sets (CONFIG_LWIP_TCP_WND_DEFAULT). */
const TCP_WINDOW_BYTES = 16_384;
const ERASE_BLOCK_MS = 150;
const ERASE_SECTOR_MS = 45;
const PROGRAM_PAGE_MS = 0.7;

interface Figures {
	/** From the manifest that offers the release to the restart, as the device wrote them. */
	readonly requests: number;
	/** Bytes sent and received by the device in all that time over the image's length. */
	readonly wireRatio: number;
	/** Live memory above idle at its highest: XS slots × 16 + chunks + native. */
	readonly peakBytes: number;
	/** Values set in NVS, confirmation included. */
	readonly storageWrites: number;
	/** Bytes of the image that the device read more than once, after a power cut half-way. */
	readonly refetchedBytes: number;
	/** Modelled time over the larger of what link and flash alone would take. */
	readonly modelRatio: number;
}

interface Way {
	readonly name: string;
	readonly update: Omit<UpdateOptions, "until" | "args">;
	/** Lines of the serial log: the update begins, all is written and activated, all is over. */
	readonly begins: string;
	readonly activated: string;
	readonly restarts: string;
	readonly over: string;
	readonly flashAloneMs: number;
	/** Image for the memory figure. Old way: a small one, since collecting after each step of 65 chunks takes very long. */
	readonly memoryImage: Uint8Array;
}

const { json } = new Command("bench")
	.description("Measure one update of 1,040 KB in the product's way and in the old one.")
	.option("--json", "one object on standard output")
	.parse()
	.opts<{ readonly json?: boolean }>();

const to = (await buildFirmware({ version: "1.1.0", sizeBytes: IMAGE_BYTES })).image;
const small = (await buildFirmware({ version: "1.1.0" })).image;
const programMs = Math.ceil(IMAGE_BYTES / 256) * PROGRAM_PAGE_MS;
const common = { to, slotBytes: SLOT_BYTES };
const ours: Way = {
	name: "ours",
	update: { ...common, from: (await buildFirmware({ version: "1.0.0" })).image, chunkBytes: 4096 },
	begins: "state CHECKING_MANIFEST",
	activated: "state REBOOTING",
	restarts: "SW_RESET",
	over: "the server knows: 1.1.0 completed",
	memoryImage: to,
	flashAloneMs: Math.ceil(IMAGE_BYTES / 65_536) * ERASE_BLOCK_MS + programMs,
};
const oldEntry = `${PROJECT_ROOT}/scripts/bench/old-way.ts`;
const old: Way = {
	name: "old",
	update: {
		...common,
		from: (await buildFirmware({ version: "1.0.0", entryFile: oldEntry })).image,
		chunkBytes: 16_384,
	},
	begins: "old way: start",
	activated: "old way: activated",
	restarts: "old way: activated",
	over: "old way: activated",
	memoryImage: small,
	flashAloneMs: Math.ceil(IMAGE_BYTES / 4096) * ERASE_SECTOR_MS + programMs,
};

const figures = { old: await measure(old), ours: await measure(ours) };
if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
else print(figures);

async function measure(way: Way): Promise<Figures> {
	say(`${way.name}: uncut …`);
	const plain = await runUpdate({ ...way.update, until: way.restarts });
	const whole = way.over === way.restarts ? plain : await runUpdate({ ...way.update, until: way.over });
	say(`${way.name}: power cut half-way …`);
	const half = Math.floor((plain.device.stats?.flash.operations ?? 0) / 2);
	const cut = await runUpdate({ ...way.update, until: way.restarts, args: ["--cut", `${half}:half`] });
	say(`${way.name}: memory …`);
	const memory = await runUpdate({
		...way.update,
		to: way.memoryImage,
		until: way.restarts,
		args: ["--measure-memory"],
	});
	say(`${way.name}: modelled link and flash …`);
	const model = await runUpdate({ ...way.update, until: way.restarts, args: modelArgs() });
	const { txBytes = 0, rxBytes = 0 } = plain.device.stats?.network ?? {};
	const { livePeakBytes = 0, idleBytes = 0 } = memory.device.stats?.xs ?? {};
	return {
		requests: plain.wire.requestCount,
		wireRatio: round((txBytes + rxBytes) / IMAGE_BYTES),
		peakBytes: livePeakBytes - idleBytes,
		storageWrites: whole.device.stats?.flash.nvsWrites ?? 0,
		refetchedBytes: cut.wire.refetchedBytes,
		modelRatio: round(modelledMs(way, model) / Math.max(way.flashAloneMs, linkAloneMs(plain))),
	};
}

function modelArgs(): string[] {
	const link = ["--link-rate", LINK_BYTES_PER_S, "--link-rtt", LINK_RTT_MS, "--tcp-window", TCP_WINDOW_BYTES];
	return [...link.map(String), "--flash-timing"];
}

function linkAloneMs({ device }: MeasuredUpdate): number {
	return (1000 * (device.stats?.network.rxBytes ?? 0)) / LINK_BYTES_PER_S + LINK_RTT_MS;
}

function modelledMs(way: Way, { device }: MeasuredUpdate): number {
	return stampOf(device.lines, way.activated) - stampOf(device.lines, way.begins);
}

/** The milliseconds since boot in `I (1234) fota: …`. */
function stampOf(lines: readonly string[], text: string): number {
	const line = lines.find((candidate) => candidate.includes(text));
	const stamp = /\((\d+)\)/.exec(line ?? "")?.[1];
	if (stamp === undefined) throw new Error(`no line "${text}" in the serial log`);
	return Number(stamp);
}

function round(ratio: number): number {
	return Math.round(ratio * 1000) / 1000;
}

function print({ old: theirs, ours: our }: { readonly old: Figures; readonly ours: Figures }): void {
	const rows: readonly (readonly [keyof Figures, string, string])[] = [
		["requests", "requests", "≤ 4"],
		["wireRatio", "bytes on the wire / image", "≤ 1.02"],
		["peakBytes", "peak memory above idle, bytes", "≤ 12288"],
		["storageWrites", "storage writes", "≤ 10"],
		["refetchedBytes", "bytes fetched again after a cut", "≤ 4096"],
		["modelRatio", "modelled time / link or flash alone", "≤ 1.15"],
	];
	const line = (cells: readonly string[]) =>
		`${cells[0]?.padEnd(38)}${cells
			.slice(1)
			.map((cell) => cell.padStart(12))
			.join("")}`;
	console.log(line(["one update of 1,040 KB", "old", "ours", "wanted"]));
	for (const [key, label, wanted] of rows)
		console.log(line([label, String(theirs[key]), String(our[key]), wanted]));
	console.log(
		`model: ${LINK_BYTES_PER_S / 1000} KB/s, ${LINK_RTT_MS} ms round trip, window ${TCP_WINDOW_BYTES} bytes`,
	);
}

function say(text: string): void {
	process.stderr.write(`${text}\n`);
}
