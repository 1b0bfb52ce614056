// GET manifest: which release is offered to the device that asks (docs/protocol.md §5).
import { Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { CHUNK_SIZES_BYTES } from "../../src/protocol/limits.js";
import { chunkCountOf, encodeManifest, MANIFEST_PATH } from "../../src/protocol/manifest.js";
import type { Server, Services } from "../services.js";
import type { ReleaseRow } from "../stores/tables.js";
import { ManifestAnswer } from "./device-answers.js";
import { describe } from "./operation.js";
import { askForRelease } from "./release-question.js";
import { BuildNumberSchema, ChipSchema, ChunkBytesSchema, NameSchema, VersionSchema } from "./schemas.js";

// All optional: devices of the old server ask without a word, and are known by their registration.
const Query = Type.Object({
	device_type: Type.Optional(NameSchema),
	chip: Type.Optional(ChipSchema),
	version: Type.Optional(VersionSchema),
	build_number: Type.Optional(
		Type.Integer({ ...BuildNumberSchema, description: "Of what runs; for operators, the version decides" }),
	),
	chunk_size: Type.Optional(ChunkBytesSchema),
});

const MANIFEST = describe({
	tag: "Device interface",
	summary: "Which release is offered to the device",
	querystring: Query,
	answers: { 200: ManifestAnswer, 204: null },
	errors: ["device-type-mismatch", "chip-mismatch"],
});

export function registerManifestRoute(server: Server, services: Services): void {
	server.get(MANIFEST_PATH, { schema: MANIFEST }, async (request, reply) => {
		const { device_type: deviceType, chip, version, build_number, chunk_size: chunkBytes } = request.query;
		if (chunkBytes !== undefined && !CHUNK_SIZES_BYTES.includes(chunkBytes))
			throw new FotaError("request-malformed", `chunk_size is not one of ${CHUNK_SIZES_BYTES.join(", ")}`);
		const claimed = { deviceType, chip, version, buildNumber: build_number };
		const asked = await askForRelease(services, { request, reply, claimed });
		if (asked.kind === "refused") return asked.reply;
		if (asked.kind === "nothing") return reply.code(204).send();
		const { release } = asked;
		return reply.type("application/json").send(manifestOf(release, chunkBytes ?? release.chunk_bytes));
	});
}

function manifestOf(release: ReleaseRow, chunkBytes: number): string {
	return encodeManifest({
		version: release.version,
		buildNumber: release.build_number,
		sizeBytes: release.size_bytes,
		hash: release.hash,
		chunkBytes,
		chunkCount: chunkCountOf(release.size_bytes, chunkBytes),
		release: release.statement,
	});
}
