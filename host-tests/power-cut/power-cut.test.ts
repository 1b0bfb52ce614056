// Nothing bricks it: the sweep of npm run power-cut, on the optimised simulator. The seed is printed with every fault.
import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { typescriptCommand } from "../support/typescript-process.js";

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
	const [node, ...args] = typescriptCommand("scripts/power-cut.ts");
	const child = spawn(node, [...args, "--json", ...options], {
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
	"a device survives power cuts within flash operations, between them, and twice in a row",
	async () => {
		// All of rollback, trial and retry, every third page of an update, and 300 times two; npm run power-cut does all.
		const { code, summary, said } = await powerCut("--cuts", "520", "--pairs", "300");
		expect(summary.bricks, said).toBe(0);
		expect(summary.stuck, said).toBe(0);
		expect(summary.refetchedChunksMax, said).toBeLessThanOrEqual(1);
		expect(summary.cuts).toBeGreaterThanOrEqual(1000);
		expect(code).toBe(0);
	},
	TIMEOUT_MS,
);
