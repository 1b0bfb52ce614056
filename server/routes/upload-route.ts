// POST upload: a release, as the JSON of the old system (image in base64) or as bytes, streamed to disk, with what
// belongs to it in headers and query (docs/protocol.md §4).
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { STATEMENT_MAX_BYTES } from "../../src/protocol/limits.js";
import { chunkCountOf } from "../../src/protocol/manifest.js";
import type { Server, Services } from "../services.js";
import type { Published, Upload } from "../stores/publish-release.js";
import { describe } from "./operation.js";
import {
	fieldsOf,
	JsonUploadBody,
	jsonBodyLimit,
	jsonUpload,
	OutcomeSchema,
	PUBLISH_ERRORS,
	publish,
	ReleaseSchema,
	TERMS,
} from "./publishing.js";
import { ReleaseAnswer } from "./release-answer.js";

const RELEASE_HEADER = "fota-release";
const OCTET_STREAM = "application/octet-stream";

// Notes are longer than a query may be: they are added by PATCH, or come in the other ways to upload.
const { notes: _notes, ...QUERY_TERMS } = TERMS;
const Query = Type.Object(QUERY_TERMS);
const Answer = Type.Object({
	release_id: Type.Integer(),
	outcome: OutcomeSchema,
	...Type.Pick(ReleaseAnswer, [
		"device_type",
		"chip",
		"version",
		"build_number",
		"size",
		"hash",
		"chunk_size",
		"key_id",
		"channel",
		"is_active",
	]).properties,
	total_chunks: Type.Integer(),
});
const UPLOAD = describe({
	tag: "Releases",
	summary: "Publish a release",
	description:
		"As JSON with the image in base64, or as the bytes of the image with the release statement in a header and the rest in the query. Answered with 200 where the release was there already.",
	querystring: Query,
	body: { content: { "application/json": { schema: JsonUploadBody } } },
	headers: {
		[RELEASE_HEADER]: { schema: ReleaseSchema, isRequired: false },
	},
	answers: { 200: Answer, 201: Answer },
	errors: PUBLISH_ERRORS,
});

export function registerUploadRoute(server: Server, services: Services): void {
	// The stream itself is the body: stage() counts its bytes.
	server.addContentTypeParser(OCTET_STREAM, (_request, payload, done) => done(null, payload));
	const config = { role: "operator" } as const;
	const bodyLimit = jsonBodyLimit(services);
	server.post("/api/cloud/fota/upload", { config, schema: UPLOAD, bodyLimit }, async (request, reply) => {
		const isStream = request.body instanceof Readable;
		if (request.body === undefined) throw new FotaError("request-malformed", "no body");
		try {
			const published = await publish(services, request, () =>
				isStream
					? streamedUpload(request, request.query)
					: jsonUpload(services, request.body as Static<typeof JsonUploadBody>),
			);
			return reply.code(published.outcome === "created" ? 201 : 200).send(answerOf(published));
		} catch (error) {
			// What is left of the body is not read, so nothing else can follow on this connection.
			if (isStream && !request.raw.complete) reply.header("connection", "close");
			throw error;
		}
	});
}

function streamedUpload(request: FastifyRequest, query: Static<typeof Query>): Upload {
	const release = request.headers[RELEASE_HEADER];
	if (typeof release !== "string" || release === "" || release.length > STATEMENT_MAX_BYTES)
		throw new FotaError("request-malformed", `header ${RELEASE_HEADER} is missing or too long`);
	return { ...fieldsOf(query), release, image: request.body as Readable };
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
		channel: release.channel,
		is_active: release.is_active === 1,
	};
}
