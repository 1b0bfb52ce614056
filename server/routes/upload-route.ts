// POST upload: a release, as the JSON of the old system (image in base64) or as bytes, streamed to disk, with what
// belongs to it in headers and query (docs/protocol.md §4).
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError, SECURITY_CODES } from "../../src/protocol/error-codes.js";
import {
	CHUNK_SIZES_BYTES,
	IMAGE_MAX_BYTES,
	STATEMENT_MAX_BYTES,
	UINT32_MAX,
} from "../../src/protocol/limits.js";
import { chunkCountOf } from "../../src/protocol/manifest.js";
import { announce } from "../announce.js";
import type { LogEvent } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { appendEvents } from "../stores/event-store.js";
import { type Published, publishRelease, type Upload } from "../stores/publish-release.js";
import { ChunkBytesSchema, DescriptionSchema, HashSchema, NameSchema, VersionSchema } from "./schemas.js";

const DEFAULT_CHUNK_BYTES = 16_384;
/** Beside the image: statement, description, names. */
const JSON_OVERHEAD_BYTES = 8192;
const RELEASE_HEADER = "fota-release";
const OCTET_STREAM = "application/octet-stream";

const ReleaseSchema = Type.String({ minLength: 1, maxLength: STATEMENT_MAX_BYTES });
const JsonBody = Type.Object({
	version: VersionSchema,
	size: Type.Integer({ minimum: 1, maximum: IMAGE_MAX_BYTES }),
	hash: HashSchema,
	chunk_size: ChunkBytesSchema,
	/** The image in base64. */
	firmware: Type.String({ minLength: 1 }),
	/** Compact JWS. */
	release: ReleaseSchema,
	description: Type.Optional(DescriptionSchema),
	build_number: Type.Optional(Type.Integer({ minimum: 0, maximum: UINT32_MAX })),
	device_type: Type.Optional(NameSchema),
});
const Query = Type.Object({
	description: Type.Optional(DescriptionSchema),
	chunk_size: Type.Optional(ChunkBytesSchema),
});

export function registerUploadRoute(server: Server, services: Services): void {
	// The stream itself is the body: stage() counts its bytes.
	server.addContentTypeParser(OCTET_STREAM, (_request, payload, done) => done(null, payload));
	const bodyLimit = Math.ceil(services.maxUploadBytes / 3) * 4 + JSON_OVERHEAD_BYTES;
	const schema = { querystring: Query, body: { content: { "application/json": { schema: JsonBody } } } };
	server.post("/api/cloud/fota/upload", { schema, bodyLimit }, async (request, reply) => {
		const isStream = request.body instanceof Readable;
		if (request.body === undefined) throw new FotaError("request-malformed", "no body");
		try {
			const upload = isStream
				? streamedUpload(request, request.query)
				: jsonUpload(services, request.body as Static<typeof JsonBody>);
			const published = await publishRelease(services, upload);
			announcePublication(request, published);
			return reply.code(published.outcome === "created" ? 201 : 200).send(answerOf(published));
		} catch (error) {
			// What is left of the body is not read, so nothing else can follow on this connection.
			if (isStream && !request.raw.complete) reply.header("connection", "close");
			if (error instanceof FotaError) await noteRefusal(services, request, error);
			throw error;
		}
	});
}

function streamedUpload(request: FastifyRequest, query: Static<typeof Query>): Upload {
	const release = request.headers[RELEASE_HEADER];
	if (typeof release !== "string" || release === "" || release.length > STATEMENT_MAX_BYTES)
		throw new FotaError("request-malformed", `header ${RELEASE_HEADER} is missing or too long`);
	return {
		release,
		claims: {},
		chunkBytes: chunkBytesOf(query.chunk_size),
		description: query.description,
		image: request.body as Readable,
	};
}

function jsonUpload(services: Services, body: Static<typeof JsonBody>): Upload {
	const image = Buffer.from(body.firmware, "base64");
	// Buffer skips what is not base64; only what reads back the same was base64 (RFC 4648 §4).
	if (image.toString("base64") !== body.firmware)
		throw new FotaError("request-malformed", "firmware is not base64");
	if (image.length > services.maxUploadBytes)
		throw new FotaError("upload-too-large", `more than ${services.maxUploadBytes} bytes`);
	return {
		release: body.release,
		claims: {
			version: body.version,
			size: body.size,
			hash: body.hash,
			buildNumber: body.build_number,
			deviceType: body.device_type,
		},
		chunkBytes: chunkBytesOf(body.chunk_size),
		description: body.description,
		image: Readable.from([image]),
	};
}

function chunkBytesOf(asked: number | undefined): number {
	if (asked === undefined) return DEFAULT_CHUNK_BYTES;
	if (CHUNK_SIZES_BYTES.includes(asked)) return asked;
	throw new FotaError("request-malformed", `chunk_size is not one of ${CHUNK_SIZES_BYTES.join(", ")}`);
}

function answerOf({ release, outcome }: Published) {
	return {
		release_id: release.id,
		outcome,
		device_type: release.device_type,
		chip: release.chip,
		version: release.version,
		build_number: release.build_number,
		size: release.size_bytes,
		hash: release.hash,
		chunk_size: release.chunk_bytes,
		total_chunks: chunkCountOf(release.size_bytes, release.chunk_bytes),
		key_id: release.key_id,
		is_active: release.is_active === 1,
	};
}

function announcePublication(request: FastifyRequest, { release, outcome }: Published): void {
	const { device_type, chip, version } = release;
	request.log.info({ release: release.id, device_type, chip, version, outcome }, "release published");
}

async function noteRefusal(services: Services, request: FastifyRequest, error: FotaError): Promise<void> {
	const details = { code: error.code, detail: error.message };
	const events: LogEvent[] = [{ log: "fota", type: "upload_refused", details }];
	if (SECURITY_CODES.includes(error.code)) events.push({ log: "security", type: "upload_refused", details });
	await appendEvents(services.db, events, services.nowMs());
	announce(request.log, events);
}
