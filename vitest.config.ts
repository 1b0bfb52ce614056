import { defineConfig } from "vitest/config";

// Two cores, simulators as child processes: files run two at a time. The server's tests run twice: on SQLite with
// everything else, and on PostgreSQL. Time-outs are for what never comes: a shared machine may lose a process for seconds.
export default defineConfig({
	test: {
		testTimeout: 240_000,
		hookTimeout: 300_000,
		expect: { poll: { timeout: 60_000 } },
		maxWorkers: 2,
		// Modules are loaded once a worker, not once a file: to load them costs more than many files' tests.
		isolate: false,
		reporters: ["default"],
		projects: [
			{ extends: true, test: { name: "host", include: ["host-tests/**/*.test.ts"] } },
			{
				extends: true,
				test: {
					name: "postgres",
					include: ["host-tests/server/**/*.test.ts"],
					exclude: [
						// No database in these.
						"host-tests/server/domain/**",
						"host-tests/server/auth/**",
						"host-tests/server/{main,settings}.test.ts",
						// HTTP and the image store: whatever database is behind it, it is asked in ways that other files test.
						"host-tests/server/{chunk,download,form-upload,hardening,log-lines}.test.ts",
						"host-tests/server/{manifest,openapi,roles,sockets,stop,upload-refusals}.test.ts",
						"host-tests/server/stores/image-stores.test.ts",
					],
					globalSetup: ["host-tests/support/postgres-project.ts"],
				},
			},
		],
	},
});
