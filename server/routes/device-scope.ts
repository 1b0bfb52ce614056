// What all device routes have in common: raw bodies, the device's authentication, and the MAC on what it is answered
// (docs/protocol.md §3). The routes themselves find the caller in `request.caller`.
import type { FastifyReply, FastifyRequest } from "fastify";
import { AUTH_SCHEME, RESPONSE_MAC_HEADER } from "../../src/protocol/device-auth.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { NAME_PATTERN } from "../../src/protocol/json.js";
import { STATUS_MAX_BYTES } from "../../src/protocol/limits.js";
import { announce } from "../announce.js";
import { type Authentication, authenticate, type Caller } from "../auth/device-authenticator.js";
import { responseMac, sha256Hex } from "../auth/device-keys.js";
import type { LogEvent } from "../domain/event.js";
import type { Limiter } from "../rate-limits.js";
import type { Server, Services } from "../services.js";
import { takeLegacyNote } from "../stores/device-store.js";
import { appendEvents } from "../stores/event-store.js";
import { registerChunkRoute } from "./chunk-route.js";
import { registerDownloadRoute } from "./download-route.js";
import { registerManifestRoute } from "./manifest-route.js";
import { registerOtaDeviceRoutes } from "./ota-device-routes.js";
import { deviceIdIn } from "./ota-messages.js";
import { sendProblem } from "./problems.js";
import { registerReportRoute } from "./report-route.js";
import { registerRollbackStatusRoute } from "./rollback-status-route.js";

declare module "fastify" {
	interface FastifyRequest {
		/** Set on device routes once the device is known. */
		caller: Caller | undefined;
	}
}

const OTA_PREFIX = "/api/ota/";
/** An old device is told of in the security log this often, in milliseconds. */
const LEGACY_NOTE_INTERVAL_MS = 86_400_000;
const NO_BODY = new Uint8Array(0);

export async function registerDeviceRoutes(
	server: Server,
	services: Services,
	limitDevice: Limiter,
): Promise<void> {
	server.decorateRequest("caller", undefined);
	// The MAC is over the bytes as they came, whatever they call themselves; the protocol's own parsers read them.
	server.removeAllContentTypeParsers();
	server.addContentTypeParser(
		"*",
		{ parseAs: "buffer", bodyLimit: STATUS_MAX_BYTES },
		(_request, body, done) => {
			done(null, body);
		},
	);
	// Before validation: what a known device gets wrong is answered with a MAC as well.
	server.addHook("preValidation", async (request, reply) => {
		const authentication = await authenticate(services, deviceRequestOf(request));
		await admit(services, request, reply, authentication);
		// Behind the authentication: a stranger cannot use up a device's share.
		return reply.sent ? reply : limitDevice(request, reply);
	});
	server.addHook("onSend", async (request, reply, payload) => {
		addResponseMac(request, reply, payload);
		return payload;
	});
	registerManifestRoute(server, services);
	registerChunkRoute(server, services);
	registerReportRoute(server, services);
	registerRollbackStatusRoute(server, services);
	registerOtaDeviceRoutes(server, services);
	registerDownloadRoute(server, services);
}

/** The device behind the request. */
export function callerOf(request: FastifyRequest): Caller {
	if (request.caller === undefined) throw new FotaError("server-failed", "device route without a caller");
	return request.caller;
}

function deviceRequestOf(request: FastifyRequest) {
	return {
		method: request.method,
		target: request.raw.url ?? "",
		body: rawBodyOf(request),
		authorization: request.headers.authorization,
		legacyDeviceId: legacyDeviceIdOf(request),
	};
}

// System B's devices name themselves in the body, and in the download URL that they are given.
function legacyDeviceIdOf(request: FastifyRequest): string | undefined {
	const named = request.headers["device-id"];
	if (typeof named === "string") return named;
	if (request.routeOptions.url?.startsWith(OTA_PREFIX) !== true) return undefined;
	const { device_id: asked } = request.query as { readonly device_id?: unknown };
	return typeof asked === "string" ? asked : deviceIdIn(rawBodyOf(request));
}

/** The bytes of the body; empty when there is none. */
export function rawBodyOf(request: FastifyRequest): Uint8Array {
	return request.body instanceof Uint8Array ? request.body : NO_BODY;
}

async function admit(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
	authentication: Authentication,
): Promise<FastifyReply | undefined> {
	if (authentication.kind === "accepted") {
		request.caller = authentication.caller;
		if (authentication.caller.nonce === undefined) await noteLegacy(services, request);
		return undefined;
	}
	if (authentication.kind === "stale") {
		request.caller = authentication.caller;
		return refuseStale(services, request, reply, authentication);
	}
	const { code, cause, deviceId } = authentication;
	request.log.debug({ code, cause, device: deviceId }, "device refused");
	if (code === "auth-failed")
		await services.refusals.note(
			{
				log: "security",
				type: "auth_failed",
				deviceId,
				details: { cause, address: request.ip, path: request.routeOptions.url },
			},
			// Of the device there is only the word of whoever asks.
			request.ip,
		);
	reply.header("www-authenticate", AUTH_SCHEME);
	const detail = code === "auth-missing" ? "no device credential" : "device not authenticated";
	return sendProblem(reply, { status: 401, code, detail });
}

/** Threat: whoever knows its id speaks for an old device. So it shows which there are, and from where they come. */
async function noteLegacy(services: Services, request: FastifyRequest): Promise<void> {
	const { device } = callerOf(request);
	const nowMs = services.nowMs();
	const limit = { deviceId: device.device_id, intervalMs: LEGACY_NOTE_INTERVAL_MS, nowMs };
	// Nearly all requests end here, without a write.
	if (device.legacy_noted_at_ms !== null && nowMs - device.legacy_noted_at_ms < limit.intervalMs) return;
	const details = { device_type: device.device_type, address: request.ip };
	const event: LogEvent = {
		log: "security",
		type: "legacy_contact",
		deviceId: device.device_id,
		details,
	};
	const isNoted = await services.db.transaction().execute(async (transaction) => {
		if (!(await takeLegacyNote(transaction, limit))) return false;
		await appendEvents(transaction, [event], nowMs);
		return true;
	});
	if (isNoted) announce(request.log, [event]);
}

async function refuseStale(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
	{ caller, nextNonce, isRepeated }: Extract<Authentication, { kind: "stale" }>,
): Promise<FastifyReply> {
	const deviceId = caller.device.device_id;
	request.log.debug(
		{ code: "nonce-stale", device: deviceId, nonce: caller.nonce, nextNonce },
		"device refused",
	);
	if (isRepeated) {
		const details = { nonce: caller.nonce, next_nonce: nextNonce, address: request.ip };
		await services.refusals.note({ log: "security", type: "nonce_replayed", deviceId, details }, deviceId);
	}
	return sendProblem(reply, {
		status: 401,
		code: "nonce-stale",
		detail: "the nonce was used or passed",
		nextNonce,
	});
}

// Streams (chunk frames) carry a MAC in each frame instead.
function addResponseMac(request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
	const { caller } = request;
	if (caller?.nonce === undefined) return;
	const body = payload ?? "";
	if (typeof body !== "string" && !(body instanceof Uint8Array)) return;
	const mac = responseMac(caller.deviceKey, {
		nonce: caller.nonce,
		status: reply.statusCode,
		bodyHash: sha256Hex(body),
	});
	reply.header(RESPONSE_MAC_HEADER, mac);
}

/** A device of another type than it is registered with, or one that says so. */
export async function noteTypeMismatch(
	services: Services,
	request: FastifyRequest,
	claimed: { readonly deviceType: string; readonly chip: string | undefined },
): Promise<void> {
	const { device } = callerOf(request);
	const { device_id: deviceId } = device;
	const details = {
		registered_type: device.device_type,
		registered_chip: device.chip ?? undefined,
		claimed_type: NAME_PATTERN.test(claimed.deviceType) ? claimed.deviceType : undefined,
		claimed_chip: claimed.chip,
	};
	// Bounded: the device comes again every few seconds until somebody mends its registration.
	await services.refusals.note(
		{ log: "security", type: "device_type_mismatch", deviceId, details },
		deviceId,
	);
}
