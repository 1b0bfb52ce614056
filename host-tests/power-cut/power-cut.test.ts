// Nothing bricks it: the sweep of npm run power-cut, on the optimised simulator. The seed is printed with every fault.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

const TIMEOUT_MS = 45 * 60_000;

interface Summary {
	readonly cuts: number;
	readonly bricks: number;
	readonly stuck: number;
	readonly refetchedChunksMax: number;
}

/** Runs the sweep as a person would; standard error is passed on, since it shows the progress. */
async function powerCut(
	...options: readonly string[]
): Promise<{ code: number | null; summary: Summary; said: string }> {
	const tsx = join(PROJECT_ROOT, "node_modules", "tsx", "dist", "cli.mjs");
	const child = spawn(process.execPath, [tsx, "scripts/power-cut.ts", "--json", ...options], {
		cwd: PROJECT_ROOT,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	let said = "";
	child.stdout.on("data", (piece: Buffer) => {
		output += piece.toString();
	});
	child.stderr.on("data", (piece: Buffer) => {
		said += piece.toString();
		process.stderr.write(piece);
	});
	const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
	return { code, summary: JSON.parse(output) as Summary, said };
}

test(
	"a device survives a power cut within every flash operation, between them, and twice in a row",
	async () => {
		// Within every operation, behind a part of them; npm run power-cut does all.
		const { code, summary, said } = await powerCut("--cuts", "870", "--pairs", "90");
		expect(summary.bricks, said).toBe(0);
		expect(summary.stuck, said).toBe(0);
		expect(summary.refetchedChunksMax, said).toBeLessThanOrEqual(1);
		expect(summary.cuts).toBeGreaterThanOrEqual(1000);
		expect(code).toBe(0);
	},
	TIMEOUT_MS,
);
