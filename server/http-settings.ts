// The environment variables about HTTP: TLS, proxies, other sites, rate limits. Called by settings.ts.
import { isIP } from "node:net";
import { resolve } from "node:path";
import { FotaError } from "../src/protocol/error-codes.js";
import type { ServerSettings } from "./build-server.js";
import { type Environment, parseInteger } from "./environment.js";
import { DEFAULT_RATE_LIMITS } from "./rate-limits.js";
import type { TlsFiles } from "./tls.js";

const RATE_MAX = 10_000_000;
const HOPS_MAX = 9;

/** Throws `request-malformed` with the name of the variable that is wrong. */
export function parseHttpSettings(environment: Environment): ServerSettings {
	return {
		tls: parseTls(environment),
		trustedProxies: parseProxies(environment.FOTA_TRUSTED_PROXIES),
		corsOrigins: parseOrigins(environment.FOTA_CORS_ORIGINS),
		rateLimits: {
			perAddress: parseRate(environment, "FOTA_RATE_LIMIT_PER_ADDRESS", DEFAULT_RATE_LIMITS.perAddress),
			perDevice: parseRate(environment, "FOTA_RATE_LIMIT_PER_DEVICE", DEFAULT_RATE_LIMITS.perDevice),
		},
	};
}

function parseRate(environment: Environment, name: string, otherwise: number): number {
	return parseInteger(environment, name, { min: 0, max: RATE_MAX, otherwise });
}

function parseTls({ FOTA_TLS_CERT: cert, FOTA_TLS_KEY: key }: Environment): TlsFiles | undefined {
	if (!cert !== !key) throw new FotaError("request-malformed", "FOTA_TLS_CERT and FOTA_TLS_KEY go together");
	return cert && key ? { certPath: resolve(cert), keyPath: resolve(key) } : undefined;
}

/** How many proxies, or which: an address or a network each. */
function parseProxies(text: string | undefined): readonly string[] | number | undefined {
	if (!text) return undefined;
	if (/^[0-9]+$/.test(text) && Number(text) >= 1 && Number(text) <= HOPS_MAX) return Number(text);
	const names = listOf(text);
	if (!names.every(isNetwork))
		throw new FotaError(
			"request-malformed",
			`FOTA_TRUSTED_PROXIES is neither a number from 1 to ${HOPS_MAX} nor a list of addresses and networks`,
		);
	return names;
}

function isNetwork(text: string): boolean {
	const [address = "", bits, ...rest] = text.split("/");
	const family = isIP(address);
	if (family === 0 || rest.length > 0) return false;
	return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function parseOrigins(text: string | undefined): string[] {
	const origins = listOf(text ?? "");
	// What a browser sends: scheme, host and port, nothing behind them.
	const isOrigin = (origin: string) =>
		/^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin;
	if (!origins.every(isOrigin))
		throw new FotaError(
			"request-malformed",
			"FOTA_CORS_ORIGINS is not a list of origins such as https://dash.example",
		);
	return origins;
}

function listOf(text: string): string[] {
	return text.split(",").flatMap((name) => name.trim() || []);
}
