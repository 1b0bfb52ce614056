// pg_dump and pg_restore of the system. Called by backup.ts and restore.ts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { FotaError } from "../../src/protocol/error-codes.js";

export type PostgresTool = "pg_dump" | "pg_restore";

/** Throws `server-failed` when the tool is missing or fails; what it says goes to standard error. */
export async function runPostgresTool(
	tool: PostgresTool,
	parameters: readonly string[],
	databaseUrl: string,
): Promise<void> {
	const environment = { ...process.env, ...connectionOf(databaseUrl) };
	const child = spawn(tool, parameters, { stdio: ["ignore", "ignore", "inherit"], env: environment });
	try {
		await once(child, "spawn");
	} catch (cause) {
		throw new FotaError(
			"server-failed",
			`${tool} is not installed (Debian: postgresql-client, of the database's version or newer); ` +
				"or back the database up with the tools of whoever runs it, and the images beside it",
			{ cause },
		);
	}
	const [code] = (await once(child, "exit")) as [number | null];
	if (code !== 0) throw new FotaError("server-failed", `${tool} failed (${code ?? "killed"})`);
}

// Not as arguments: the list of processes would show the password.
function connectionOf(databaseUrl: string): Record<string, string> {
	const url = new URL(databaseUrl);
	const sslMode = url.searchParams.get("sslmode");
	return {
		PGHOST: url.hostname.replace(/^\[|\]$/g, ""),
		PGPORT: url.port || "5432",
		PGUSER: decodeURIComponent(url.username),
		...(url.password === "" ? {} : { PGPASSWORD: decodeURIComponent(url.password) }),
		PGDATABASE: decodeURIComponent(url.pathname.slice(1)),
		...(sslMode === null ? {} : { PGSSLMODE: sslMode }),
	};
}
