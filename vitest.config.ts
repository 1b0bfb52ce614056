import { defineConfig } from "vitest/config";

// Two cores, simulators as child processes: files run two at a time.
export default defineConfig({
	test: {
		include: ["host-tests/**/*.test.ts"],
		testTimeout: 60_000,
		hookTimeout: 300_000,
		maxWorkers: 2,
		reporters: ["default"],
	},
});
