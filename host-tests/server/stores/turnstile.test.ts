// One task at a time.
import { expect, it } from "vitest";
import { createTurnstile } from "../../../server/stores/turnstile.js";

it("lets one task at a time through, in order, past one that fails", async () => {
	const turnstile = createTurnstile();
	const seen: string[] = [];
	const task = (name: string, isFailing = false) =>
		turnstile.pass(async () => {
			seen.push(`${name} in`);
			await new Promise((resolve) => setTimeout(resolve, 5));
			seen.push(`${name} out`);
			if (isFailing) throw new Error(name);
			return name;
		});
	const results = await Promise.allSettled([task("a"), task("b", true), task("c")]);
	expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
	expect(seen).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
});
