// What all ways to upload a release have in common: their fields, their answer, and what is logged of them. Called by
// upload-route.ts (system A's upload, JSON and bytes) and ota-upload-routes.ts (system B's, JSON and multipart).
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { type ErrorCode, FotaError, SECURITY_CODES } from "../../src/protocol/error-codes.js";
import {
	CHUNK_SIZES_BYTES,
	IMAGE_MAX_BYTES,
	STATEMENT_MAX_BYTES,
	UINT32_MAX,
} from "../../src/protocol/limits.js";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import { operatorOf } from "../auth/operator.js";
import { operatorBehind } from "../auth/operator-authenticator.js";
import type { LogEvent } from "../domain/event.js";
import { channelOf } from "../domain/release-channel.js";
import { isAllowed } from "../domain/role.js";
import type { Services } from "../services.js";
import { appendEvents } from "../stores/event-store.js";
import { type Published, publishRelease, type Upload, type UploadTerms } from "../stores/publish-release.js";
import type { Records } from "../stores/tables.js";
import {
	ChannelSchema,
	ChipSchema,
	ChunkBytesSchema,
	DescriptionSchema,
	HashSchema,
	NameSchema,
	NotesSchema,
	VersionSchema,
} from "./schemas.js";

const DEFAULT_CHUNK_BYTES = 16_384;
/** Of `esp_app_desc_t`, without its terminating zero. */
const PROJECT_NAME_MAX_CHARS = 31;
/** Beside the image: statement, names, notes (up to six characters each in JSON). */
const JSON_OVERHEAD_BYTES = 40_960;

/** Compact JWS. */
export const ReleaseSchema = Type.String({ minLength: 1, maxLength: STATEMENT_MAX_BYTES });
/** What the uploader decides; nobody signs it. */
export const TERMS = {
	description: Type.Optional(DescriptionSchema),
	notes: Type.Optional(NotesSchema),
	channel: Type.Optional(ChannelSchema),
	is_stable: Type.Optional(Type.Boolean()),
	is_security_fix: Type.Optional(Type.Boolean()),
	/** False: devices get it only once it is activated. */
	is_active: Type.Optional(Type.Boolean()),
	chunk_size: Type.Optional(ChunkBytesSchema),
};
/** What the uploader says of the release; where it is given it must be what is signed, or in the image. */
export const CLAIMS = {
	version: Type.Optional(VersionSchema),
	size: Type.Optional(Type.Integer({ minimum: 1, maximum: IMAGE_MAX_BYTES })),
	hash: Type.Optional(HashSchema),
	build_number: Type.Optional(Type.Integer({ minimum: 0, maximum: UINT32_MAX })),
	device_type: Type.Optional(NameSchema),
	chip: Type.Optional(ChipSchema),
	min_current_version: Type.Optional(VersionSchema),
	/** As the image has it. */
	project_name: Type.Optional(Type.String({ maxLength: PROJECT_NAME_MAX_CHARS })),
};
/** The JSON of system A, with what it does not know beside it. */
export const JsonUploadBody = Type.Object({
	...TERMS,
	...CLAIMS,
	version: VersionSchema,
	size: Type.Integer({ minimum: 1, maximum: IMAGE_MAX_BYTES }),
	hash: HashSchema,
	chunk_size: ChunkBytesSchema,
	/** The image in base64. */
	firmware: Type.String({ minLength: 1 }),
	release: ReleaseSchema,
});
export const OutcomeSchema = Type.Union([
	Type.Literal("created"),
	Type.Literal("unchanged"),
	Type.Literal("reissued"),
]);
/** What publishRelease() throws. */
export const PUBLISH_ERRORS = [
	"statement-malformed",
	"signature-invalid",
	"manifest-mismatch",
	"upload-too-large",
	"hash-mismatch",
	"image-invalid",
	"chip-mismatch",
	"release-exists",
] as const satisfies readonly ErrorCode[];
const TermsSchema = Type.Object(TERMS);
const ClaimsSchema = Type.Object(CLAIMS);

/** For the route: the image in base64 and the fields beside it. */
export function jsonBodyLimit({ maxUploadBytes }: Services): number {
	return Math.ceil(maxUploadBytes / 3) * 4 + JSON_OVERHEAD_BYTES;
}

/** Publishes what `takeUpload` makes of the request, and logs what came of it. Throws what publishRelease() throws. */
export async function publish(
	services: Services,
	request: FastifyRequest,
	takeUpload: () => Upload | Promise<Upload>,
): Promise<Published> {
	try {
		const upload = await takeUpload();
		const note = (transaction: Records, published: Published) =>
			notePublication(services, request, { transaction, published });
		const published = await publishRelease({ ...services, log: request.log }, { ...upload, note });
		const { device_type, chip, version, channel } = published.release;
		const { outcome } = published;
		request.log.info(
			{ release: published.release.id, device_type, chip, version, channel, outcome },
			"release published",
		);
		announce(request.log, published.events);
		return published;
	} catch (error) {
		if (error instanceof FotaError) await noteRefusal(services, request, error);
		throw error;
	}
}

async function notePublication(
	services: Services,
	request: FastifyRequest,
	{ transaction, published }: { readonly transaction: Records; readonly published: Published },
): Promise<void> {
	const { id, device_type, version, channel, hash } = published.release;
	// The image came behind the hooks that ask who it is (admin-scope.ts).
	const operator = await operatorBehind({ ...services, db: transaction }, request);
	if (operator === undefined || !isAllowed(operator.role, request.routeOptions.config.role ?? "admin"))
		throw new FotaError("forbidden", "the right to publish was taken back during the upload");
	await audit(transaction, request, {
		action: "release.publish",
		target: `release:${id}`,
		details: { outcome: published.outcome, device_type, version, channel, hash },
		nowMs: services.nowMs(),
	});
}

export function jsonUpload(services: Services, body: Static<typeof JsonUploadBody>): Upload {
	const image = Buffer.from(body.firmware, "base64");
	// Buffer skips what is not base64; only what reads back the same was base64 (RFC 4648 §4).
	if (image.toString("base64") !== body.firmware)
		throw new FotaError("request-malformed", "firmware is not base64");
	if (image.length > services.maxUploadBytes)
		throw new FotaError("upload-too-large", `more than ${services.maxUploadBytes} bytes`);
	return { ...fieldsOf(body), release: body.release, image: Readable.from([image]) };
}

/** What goes with the image, from the fields of a body, a form or a query. */
export function fieldsOf(
	fields: Static<typeof TermsSchema> & Static<typeof ClaimsSchema>,
): Pick<Upload, "claims" | "chunkBytes" | "terms"> {
	const terms: UploadTerms = {
		description: fields.description,
		notes: fields.notes,
		channel: channelOf(fields),
		isSecurityFix: fields.is_security_fix,
		isActive: fields.is_active,
	};
	const claims = {
		version: fields.version,
		size: fields.size,
		hash: fields.hash,
		buildNumber: fields.build_number,
		deviceType: fields.device_type,
		chip: fields.chip,
		minCurrentVersion: fields.min_current_version,
		projectName: fields.project_name,
	};
	return { claims, chunkBytes: chunkBytesOf(fields.chunk_size), terms };
}

function chunkBytesOf(asked: number | undefined): number {
	if (asked === undefined) return DEFAULT_CHUNK_BYTES;
	if (CHUNK_SIZES_BYTES.includes(asked)) return asked;
	throw new FotaError("request-malformed", `chunk_size is not one of ${CHUNK_SIZES_BYTES.join(", ")}`);
}

async function noteRefusal(services: Services, request: FastifyRequest, error: FotaError): Promise<void> {
	const { actor } = operatorOf(request);
	const details = { code: error.code, detail: error.message, actor, address: request.ip };
	const events: LogEvent[] = [{ log: "fota", type: "upload_refused", details }];
	if (SECURITY_CODES.includes(error.code)) events.push({ log: "security", type: "upload_refused", details });
	await appendEvents(services.db, events, services.nowMs());
	announce(request.log, events);
}
