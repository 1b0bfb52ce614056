// What operators are told of a release, the same in every answer.
import { Type } from "typebox";
import type { Services } from "../services.js";
import type { ReleaseRow } from "../stores/tables.js";
import { ChannelSchema, ChipSchema, HashSchema, NameSchema, nullable } from "./schemas.js";
import { TimeAnswer, timeOf } from "./time.js";

export const ReleaseAnswer = Type.Object({
	id: Type.Integer(),
	device_type: NameSchema,
	chip: ChipSchema,
	version: Type.String(),
	build_number: Type.Integer(),
	security_version: Type.Integer(),
	size: Type.Integer({ description: "Bytes of the image" }),
	hash: HashSchema,
	file_path: Type.String({ description: "Where the image store has it" }),
	min_current_version: nullable(Type.String()),
	chunk_size: Type.Integer(),
	description: nullable(Type.String()),
	notes: nullable(Type.String()),
	project_name: Type.String(),
	key_id: Type.String(),
	channel: ChannelSchema,
	is_stable: Type.Boolean(),
	is_active: Type.Boolean({ description: "Whether devices may have it" }),
	is_security_fix: Type.Boolean(),
	released_at: Type.String({ format: "date-time", description: "As signed" }),
	published_at: nullable(
		Type.String({ format: "date-time", description: "When it was last made available; null if never" }),
	),
	created_at: TimeAnswer,
	updated_at: TimeAnswer,
});

export function releaseAnswer({ images }: Pick<Services, "images">, row: ReleaseRow) {
	return {
		id: row.id,
		device_type: row.device_type,
		chip: row.chip,
		version: row.version,
		build_number: row.build_number,
		security_version: row.security_version,
		size: row.size_bytes,
		hash: row.hash,
		file_path: images.addressOf(row.hash),
		min_current_version: row.min_current_version,
		chunk_size: row.chunk_bytes,
		description: row.description,
		notes: row.notes,
		project_name: row.project_name,
		key_id: row.key_id,
		channel: row.channel,
		is_stable: row.channel === "stable",
		is_active: row.is_active === 1,
		is_security_fix: row.is_security_fix === 1,
		released_at: new Date(row.released_at * 1000).toISOString(),
		published_at: timeOf(row.published_at_ms),
		created_at: timeOf(row.created_at_ms),
		updated_at: timeOf(row.updated_at_ms),
	};
}
