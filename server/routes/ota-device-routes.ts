// System B's interface for devices: is there an update, and how it goes (docs/protocol.md §17). The same questions as
// manifest and status in other words, answered by the same code; the download itself is download-route.ts.
import { FotaError } from "../../src/protocol/error-codes.js";
import { CHIPS } from "../../src/protocol/release-statement.js";
import { encodeStatusAnswer } from "../../src/protocol/status-report.js";
import { isVersion } from "../../src/protocol/version.js";
import type { Caller } from "../auth/device-authenticator.js";
import { reportOfOtaStatus } from "../domain/ota-status.js";
import type { Server, Services } from "../services.js";
import { recordReport } from "../stores/record-report.js";
import { findReleaseById } from "../stores/release-store.js";
import { findStatus } from "../stores/status-store.js";
import type { DeviceRow, ReleaseRow } from "../stores/tables.js";
import { callerOf, rawBodyOf } from "./device-scope.js";
import { describe } from "./operation.js";
import { CHECK_OPERATION, OTA_STATUS_OPERATION } from "./ota-answers.js";
import {
	OTA_CHECK_PATH,
	OTA_DOWNLOAD_PATH,
	OTA_STATUS_PATH,
	type OtaReport,
	parseOtaCheck,
	parseOtaReport,
} from "./ota-messages.js";
import { askForRelease } from "./release-question.js";

export function registerOtaDeviceRoutes(server: Server, services: Services): void {
	server.post(OTA_CHECK_PATH, { schema: describe(CHECK_OPERATION) }, async (request, reply) => {
		const caller = callerOf(request);
		const { deviceId, ...claimed } = parseOtaCheck(rawBodyOf(request));
		checkDeviceId(caller, deviceId);
		const asked = await askForRelease(services, { request, reply, claimed });
		if (asked.kind === "refused") return asked.reply;
		// As text: what is sent is what the MAC is over.
		return reply.type("application/json").send(checkAnswer(caller, asked));
	});
	server.post(OTA_STATUS_PATH, { schema: describe(OTA_STATUS_OPERATION) }, async (request, reply) => {
		const caller = callerOf(request);
		const told = parseOtaReport(rawBodyOf(request));
		checkDeviceId(caller, told.deviceId);
		const tools = { ...services, log: request.log };
		const outcome = await recordReport(tools, caller, await reportOf(services, caller.device, told));
		return reply.type("application/json").send(encodeStatusAnswer(outcome));
	});
}

// Threat: a device that speaks in another one's name.
function checkDeviceId({ device }: Caller, deviceId: string | undefined): void {
	if (deviceId !== undefined && deviceId !== device.device_id)
		throw new FotaError("request-malformed", "device_id is not the device that asks");
}

type Found = { readonly kind: "release"; readonly release: ReleaseRow } | { readonly kind: "nothing" };

function checkAnswer(caller: Caller, asked: Found): string {
	if (asked.kind === "nothing") return JSON.stringify({ update_available: false });
	const { release } = asked;
	const firmware = {
		id: release.id,
		version: release.version,
		build_number: release.build_number,
		size: release.size_bytes,
		hash: release.hash,
		min_current_version: release.min_current_version,
		is_stable: release.channel === "stable",
		is_security_fix: release.is_security_fix === 1,
		notes: release.notes,
		release: release.statement,
		download_url: downloadUrl(caller, release),
	};
	return JSON.stringify({ update_available: true, firmware });
}

// Relative, since the server does not know by which name it is reached. An old device has no way to say who it is but
// what it is given here.
function downloadUrl({ device, nonce }: Caller, release: ReleaseRow): string {
	const path = `${OTA_DOWNLOAD_PATH}/${release.id}`;
	return nonce === undefined ? `${path}?device_id=${device.device_id}` : path;
}

async function reportOf({ db }: Services, device: DeviceRow, told: OtaReport) {
	if (told.version !== undefined && !isVersion(told.version))
		throw new FotaError("request-malformed", "current_version is not a semantic version");
	const release = await findReleaseById(db, told.firmwareId);
	const chip = CHIPS.find((name) => name === release?.chip);
	// One that was withdrawn meanwhile can be reported still.
	if (release === undefined || chip === undefined || release.device_type !== device.device_type)
		throw new FotaError("release-unknown", "no such firmware for this device");
	const status = await findStatus(db, device.device_id);
	return reportOfOtaStatus(
		told,
		{
			version: release.version,
			hash: release.hash,
			chip,
			sizeBytes: release.size_bytes,
			chunkBytes: release.chunk_bytes,
		},
		{ deviceType: device.device_type, version: status?.version, uptimeSeconds: status?.uptime_s },
	);
}
