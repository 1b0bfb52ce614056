// POST status: what a device reports about itself (docs/protocol.md §7).
import { encodeStatusAnswer, parseStatusReport, STATUS_PATH } from "../../src/protocol/status-report.js";
import type { Server, Services } from "../services.js";
import { recordReport } from "../stores/record-report.js";
import { REPORT_OPERATION } from "./device-answers.js";
import { callerOf, noteTypeMismatch, rawBodyOf } from "./device-scope.js";
import { describe } from "./operation.js";

export function registerReportRoute(server: Server, services: Services): void {
	server.post(STATUS_PATH, { schema: describe(REPORT_OPERATION) }, async (request, reply) => {
		const caller = callerOf(request);
		const { device } = caller;
		const report = parseStatusReport(rawBodyOf(request));
		const outcome = await recordReport({ ...services, log: request.log }, caller, report);
		// Accepted all the same: the report is what the device is, right or wrong.
		if (report.deviceType !== device.device_type) await noteTypeMismatch(services, request, report);
		return reply.type("application/json").send(encodeStatusAnswer(outcome));
	});
}
