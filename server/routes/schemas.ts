// Schemas of fields that several routes take or give, with the limits of the protocol.
import { type TSchema, Type } from "typebox";
import {
	CHUNK_MAX_BYTES,
	REASON_MAX_CHARS,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "../../src/protocol/limits.js";

export function nullable<T extends TSchema>(schema: T) {
	return Type.Union([schema, Type.Null()]);
}

export function oneOf<T extends string>(values: readonly T[]) {
	return Type.Union(values.map((value) => Type.Literal(value)));
}

export const NameSchema = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$" });
export const DeviceIdSchema = NameSchema;
export const DevicePath = Type.Object({ device_id: DeviceIdSchema });
export const ChipSchema = Type.Union([
	Type.Literal("esp32"),
	Type.Literal("esp32c3"),
	Type.Literal("esp32s3"),
]);
/** Checked further by isVersion(). */
export const VersionSchema = Type.String({ minLength: 1, maxLength: VERSION_MAX_CHARS });
export const BuildNumberSchema = Type.Integer({ minimum: 0, maximum: UINT32_MAX });
/** Checked further against CHUNK_SIZES_BYTES. */
export const ChunkBytesSchema = Type.Integer({ minimum: 1, maximum: CHUNK_MAX_BYTES });
export const HashSchema = Type.String({ pattern: "^[0-9a-f]{64}$" });
/** No control characters: the reason is shown on terminals and in logs, and the device's parser refuses them. */
export const ReasonSchema = Type.String({
	minLength: 1,
	maxLength: REASON_MAX_CHARS,
	pattern: "^[^\\u0000-\\u001f\\u007f]+$",
});
export const DescriptionSchema = Type.String({ maxLength: 500, pattern: "^[^\\u0000-\\u001f\\u007f]*$" });
/** Several lines; no control characters but line ends and tabs. */
export const NotesSchema = Type.String({
	maxLength: 4000,
	pattern: "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f]*$",
});
export const ChannelSchema = Type.Union([Type.Literal("stable"), Type.Literal("beta")]);
export const LimitSchema = Type.Integer({ minimum: 1, maximum: 500 });
export const CursorSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
