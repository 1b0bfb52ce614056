// What browsers are told about the operator's side: security headers on each answer, and which other sites may call it
// (none, unless the operator names them). Registered by build-server.ts; devices are no browsers.
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import type { Server } from "../services.js";
import type { TlsFiles } from "../tls.js";

export interface BrowserSettings {
	/** Origins of other sites whose pages may call the interface, such as https://dash.example. Default: none. */
	readonly corsOrigins?: readonly string[] | undefined;
	/** Set where the server speaks HTTPS itself. */
	readonly tls?: TlsFiles | undefined;
}

const DAY_S = 86_400;

export async function registerBrowserRules(server: Server, settings: BrowserSettings): Promise<void> {
	await server.register(helmet, {
		// An answer of the interface is no page: nothing in it may be run, shown in a frame or loaded from elsewhere.
		contentSecurityPolicy: {
			useDefaults: false,
			directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"] },
		},
		// Behind a proxy it is the proxy that knows whether there is HTTPS.
		strictTransportSecurity: settings.tls !== undefined && { maxAge: 180 * DAY_S },
	});
	const { corsOrigins = [] } = settings;
	if (corsOrigins.length === 0) return;
	await server.register(cors, {
		origin: [...corsOrigins],
		methods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
		// What operators' routes read; those of downloads are devices', which no page may call.
		allowedHeaders: ["authorization", "content-type", "fota-release", "last-event-id", "x-request-id"],
		exposedHeaders: ["retry-after", "x-request-id"],
		maxAge: 600,
	});
}
