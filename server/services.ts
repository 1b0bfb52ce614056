// What the routes work with. Made by app.ts, handed to every group of routes.
import type {
	FastifyBaseLogger,
	FastifyInstance,
	RawReplyDefaultExpression,
	RawRequestDefaultExpression,
	RawServerDefault,
} from "fastify";
import type { AuditHeads } from "./audit-heads.js";
import type { Passwords } from "./auth/passwords.js";
import type { LiveServices } from "./live-services.js";
import type { RolloutJudge } from "./rollout-judge.js";
import type { TypeBoxProvider } from "./routes/validation.js";
import type { ImageStore } from "./stores/image-store.js";
import type { NonceTaker } from "./stores/nonce-queue.js";
import type { Records } from "./stores/tables.js";

export interface Services extends LiveServices {
	readonly db: Records;
	readonly takeNonce: NonceTaker;
	readonly rolloutJudge: RolloutJudge;
	readonly auditHeads: AuditHeads;
	readonly images: ImageStore;
	readonly masterKey: Uint8Array;
	/** Undefined where it is switched off. */
	readonly adminToken: string | undefined;
	/** Signs access tokens. */
	readonly jwtSecret: Uint8Array;
	readonly passwords: Passwords;
	readonly legacyDeviceTypes: ReadonlySet<string>;
	readonly maxUploadBytes: number;
	/** How long a download under way goes on, at most, once the device may not have the release any more. */
	readonly downloadRecheckMs: number;
	/** IANA name, for devices that have none of their own. */
	readonly defaultTimeZone: string;
	/** Releases go to devices by rollouts only. */
	readonly isRolloutNeeded: boolean;
	/** Unix time in milliseconds. */
	readonly nowMs: () => number;
	/** Of each rollout that is made, lower-case hex. */
	readonly newRolloutSeed: () => string;
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
