// GET health: does the server answer, and does its database?
import { sql } from "kysely";
import type { Server, Services } from "../services.js";
import { sendProblem } from "./problems.js";

export function registerHealthRoute(server: Server, services: Services): void {
	server.get("/health", { logLevel: "warn" }, async (_request, reply) => {
		if (services.isStopping())
			return sendProblem(reply, { status: 503, code: "server-unavailable", detail: "stopping" });
		await sql`select 1`.execute(services.db);
		return { status: "ok" };
	});
}
