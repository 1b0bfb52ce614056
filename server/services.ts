// What the routes work with. Made by app.ts, handed to every group of routes.
import type {
	FastifyBaseLogger,
	FastifyInstance,
	RawReplyDefaultExpression,
	RawRequestDefaultExpression,
	RawServerDefault,
} from "fastify";
import type { RefusalLog } from "./auth/refusal-log.js";
import type { TypeBoxProvider } from "./routes/validation.js";
import type { ImageStore } from "./stores/image-store.js";
import type { Records } from "./stores/tables.js";

export interface Services {
	readonly db: Records;
	readonly images: ImageStore;
	readonly masterKey: Uint8Array;
	readonly adminToken: string;
	readonly legacyDeviceTypes: ReadonlySet<string>;
	readonly maxUploadBytes: number;
	readonly refusals: RefusalLog;
	/** Unix time in milliseconds. */
	readonly nowMs: () => number;
	/** True once the server was told to stop. */
	readonly isStopping: () => boolean;
}

export type Server = FastifyInstance<
	RawServerDefault,
	RawRequestDefaultExpression,
	RawReplyDefaultExpression,
	FastifyBaseLogger,
	TypeBoxProvider
>;
