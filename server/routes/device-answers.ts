// What devices send and are answered, for the OpenAPI document alone: the bytes are src/protocol's, whose parsers and
// encoders are strict where these schemas only tell. Used by the routes of device-scope.ts.
import { Type } from "typebox";
import { CHUNKS_MEDIA_TYPE } from "../../src/protocol/chunk-frames.js";
import { REASON_MAX_CHARS, SLOTS_MAX } from "../../src/protocol/limits.js";
import { BOOT_STATUSES, DEVICE_STATES } from "../../src/protocol/status-report.js";
import type { Operation } from "./operation.js";
import { ChipSchema, HashSchema, NameSchema, VersionSchema } from "./schemas.js";

export const ManifestAnswer = Type.Object({
	version: Type.String(),
	build_number: Type.Integer(),
	size: Type.Integer(),
	hash: HashSchema,
	chunk_size: Type.Integer(),
	total_chunks: Type.Integer(),
	release: Type.String({ description: "Release statement, compact JWS (docs/protocol.md §4)" }),
});

export const ChunkAnswer = Type.Object({
	chunk_number: Type.Integer(),
	data: Type.String({ contentEncoding: "base64" }),
	size: Type.Integer(),
	mac: HashSchema,
});

/** Frames for our firmware, JSON for old devices. */
export const CHUNK_MEDIA = {
	[CHUNKS_MEDIA_TYPE]: Type.Unknown({ description: "Frames: length, data, MAC (docs/protocol.md §6)" }),
	"application/json": ChunkAnswer,
};

const ReportBody = Type.Object(
	{
		fota_state: Type.Enum([...DEVICE_STATES]),
		boot_status: Type.Enum([...BOOT_STATUSES]),
		device_type: NameSchema,
		chip: ChipSchema,
		version: VersionSchema,
		slot: Type.String(),
		reset_reason: Type.String(),
		uptime_s: Type.Integer({ minimum: 0 }),
		target_version: Type.Optional(VersionSchema),
		target_hash: Type.Optional(HashSchema),
		chunk_received: Type.Optional(Type.Integer({ minimum: 0 })),
		total_chunks: Type.Optional(Type.Integer({ minimum: 1 })),
		verified: Type.Optional(Type.Boolean()),
		trial_boots: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
		rollback: Type.Optional(Type.Boolean()),
		rollback_order_id: Type.Optional(Type.Integer({ minimum: 1 })),
		error_code: Type.Optional(Type.String()),
		error: Type.Optional(Type.String({ maxLength: REASON_MAX_CHARS })),
		security_event: Type.Optional(Type.Boolean()),
		offset_bytes: Type.Optional(Type.Integer({ minimum: 0 })),
		memory_min_bytes: Type.Optional(Type.Integer({ minimum: 0 })),
		rssi_dbm: Type.Optional(Type.Integer({ minimum: -128, maximum: 0 })),
		slots: Type.Optional(Type.Array(Type.String(), { maxItems: SLOTS_MAX })),
	},
	{ description: "docs/protocol.md §7" },
);

export const REPORT_OPERATION = {
	tag: "Device interface",
	summary: "What a device reports about itself",
	rawBody: { "application/json": ReportBody },
	answers: { 200: Type.Object({ accepted: Type.Boolean(), rollback_pending: Type.Boolean() }) },
} as const satisfies Operation;

export const ROLLBACK_STATUS_OPERATION = {
	tag: "Device interface",
	summary: "The rollback order that waits for the device",
	answers: {
		200: Type.Object({
			rollback: Type.Boolean(),
			order_id: Type.Optional(Type.Integer()),
			reason: Type.Optional(Type.String()),
		}),
	},
} as const satisfies Operation;
