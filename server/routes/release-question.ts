// A device asks which release it may have: what the manifest and the check of system B's devices have in common.
import type { FastifyReply, FastifyRequest } from "fastify";
import { FotaError } from "../../src/protocol/error-codes.js";
import { isVersion } from "../../src/protocol/version.js";
import type { Services } from "../services.js";
import { noteBuild } from "../stores/device-store.js";
import { type OfferOutcome, offerRelease } from "../stores/offer-release.js";
import { noteReturn } from "../stores/record-update.js";
import { findStatus } from "../stores/status-store.js";
import type { DeviceRow, ReleaseRow } from "../stores/tables.js";
import { callerOf, noteTypeMismatch } from "./device-scope.js";
import { sendProblem } from "./problems.js";

/** What the device says of itself; the registration counts where it says nothing. */
export interface Claimed {
	readonly deviceType: string | undefined;
	readonly chip: string | undefined;
	/** Running. */
	readonly version: string | undefined;
	readonly buildNumber: number | undefined;
}

export type Asked =
	| { readonly kind: "release"; readonly release: ReleaseRow }
	| { readonly kind: "nothing" }
	/** Answered already. */
	| { readonly kind: "refused"; readonly reply: FastifyReply };

/** When a device that found no download place may ask again, in seconds. */
const SHED_RETRY_S = 60;

/** Throws `request-malformed` for a version that is none, and where nobody says which chip the device has. */
export async function askForRelease(
	services: Services,
	question: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly claimed: Claimed },
): Promise<Asked> {
	const { request, reply, claimed } = question;
	const { device } = callerOf(request);
	const { deviceType, chip, version } = claimed;
	if (version !== undefined && !isVersion(version))
		throw new FotaError("request-malformed", "version is not a semantic version");
	const code = mismatchOf(device, claimed);
	if (code !== undefined) {
		await noteTypeMismatch(services, request, { deviceType: deviceType ?? device.device_type, chip });
		const detail = "registered otherwise at this server";
		return { kind: "refused", reply: sendProblem(reply, { status: 403, code, detail }) };
	}
	await keepBuild(services, device, claimed);
	const outcome = await offerFor(services, device, claimed);
	return outcome.kind === "busy" ? { kind: "refused", reply: shed(reply) } : outcome;
}

function mismatchOf(device: DeviceRow, claimed: Claimed) {
	if (claimed.deviceType !== undefined && claimed.deviceType !== device.device_type)
		return "device-type-mismatch" as const;
	if (claimed.chip !== undefined && device.chip !== null && claimed.chip !== device.chip)
		return "chip-mismatch" as const;
	return undefined;
}

// A write only where it is news: devices ask all the time.
async function keepBuild({ db }: Services, device: DeviceRow, claimed: Claimed): Promise<void> {
	const { buildNumber, version } = claimed;
	if (buildNumber === undefined || version === undefined) return;
	if (device.build_number === buildNumber && device.build_version === version) return;
	await noteBuild(db, device.device_id, { buildNumber, version });
}

async function offerFor(services: Services, device: DeviceRow, claimed: Claimed): Promise<OfferOutcome> {
	const { db, defaultTimeZone, isRolloutNeeded, rolloutJudge } = services;
	const chip = claimed.chip ?? device.chip ?? (await findStatus(db, device.device_id))?.chip;
	if (chip === undefined) throw new FotaError("request-malformed", "chip is neither given nor registered");
	const nowMs = services.nowMs();
	const { device_id: deviceId } = device;
	const { version } = claimed;
	const failedRolloutId =
		version === undefined ? undefined : await noteReturn(db, { deviceId, version, nowMs });
	if (failedRolloutId !== undefined) rolloutJudge.judge(failedRolloutId);
	return offerRelease(db, { device, chip, version, defaultTimeZone, isRolloutNeeded, nowMs });
}

/** The device comes again by itself; it counts as no failure. */
function shed(reply: FastifyReply): FastifyReply {
	reply.header("retry-after", String(SHED_RETRY_S));
	const detail = "all download places of the rollout are taken";
	return sendProblem(reply, { status: 503, code: "server-unavailable", detail });
}
