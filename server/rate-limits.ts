// How many requests a minute are taken of one address, and of one device once it has proved that it is the one: a
// stranger can use up an address's share, never a device's. Made by build-server.ts.
//
// The counts are in the memory of each process: a limit is meant to keep one server up, and three servers can carry three
// times as much. What must hold over all servers (log-in attempts) is counted in the database (auth/log-in.ts).
import rateLimit from "@fastify/rate-limit";
import type { FastifyReply, FastifyRequest } from "fastify";
import { sendProblem } from "./routes/problems.js";
import type { Server } from "./services.js";

export interface RateLimits {
	/** Requests a minute; 0: no limit. An address of IPv6 is its network of 64 bits. */
	readonly perAddress: number;
	readonly perDevice: number;
}

/**
 * A thousand requests a second of one address, so that a fleet behind one router, or a proxy that nobody named, is not
 * taken for an attack; a hundred a second of one device, which loads an image in single chunks of 1 KiB as fast as it can.
 */
export const DEFAULT_RATE_LIMITS: RateLimits = { perAddress: 60_000, perDevice: 6000 };

/** Answers 429 when the share is used up; undefined: go on. */
export type Limiter = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;

export interface RateLimiters {
	readonly byAddress: Limiter;
	readonly byDevice: Limiter;
}

const WINDOW_MS = 60_000;
/** Callers that are remembered, some 100 bytes each; the ones that were silent longest are forgotten first. */
const REMEMBERED_MAX = 200_000;

export async function registerRateLimits(server: Server, limits: RateLimits): Promise<RateLimiters> {
	await server.register(rateLimit, { global: false });
	const deviceOf = (request: FastifyRequest) => request.caller?.device.device_id ?? "";
	return {
		byAddress: createLimiter(server, limits.perAddress),
		byDevice: createLimiter(server, limits.perDevice, deviceOf),
	};
}

function createLimiter(server: Server, max: number, keyOf?: (request: FastifyRequest) => string): Limiter {
	if (max === 0) return async () => undefined;
	const options = { max, timeWindow: WINDOW_MS, cache: REMEMBERED_MAX };
	const count = server.createRateLimit({ ...options, ...(keyOf && { keyGenerator: keyOf }) });
	return async (request, reply) => {
		const outcome = await count(request);
		if (outcome.isAllowed || !outcome.isExceeded) return undefined;
		reply.header("retry-after", outcome.ttlInSeconds);
		return sendProblem(reply, { status: 429, code: "rate-limited", detail: "too many requests" });
	};
}
