// What system B's devices send and are answered, for the OpenAPI document alone: the bytes are read by ota-messages.ts,
// which is strict where these schemas only tell.
import { Type } from "typebox";
import { IMAGE_MAX_BYTES } from "../../src/protocol/limits.js";
import { OTA_STATUSES } from "../domain/ota-status.js";
import { REPORT_OPERATION } from "./device-answers.js";
import type { Operation } from "./operation.js";
import {
	BuildNumberSchema,
	ChipSchema,
	DeviceIdSchema,
	HashSchema,
	NameSchema,
	nullable,
	oneOf,
	VersionSchema,
} from "./schemas.js";

const CheckBody = Type.Object({
	device_id: Type.Optional(DeviceIdSchema),
	device_type: NameSchema,
	current_version: VersionSchema,
	build_number: Type.Optional(BuildNumberSchema),
	chip: Type.Optional(ChipSchema),
});
const FirmwareAnswer = Type.Object({
	id: Type.Integer(),
	version: Type.String(),
	build_number: Type.Integer(),
	size: Type.Integer(),
	hash: HashSchema,
	min_current_version: nullable(Type.String()),
	is_stable: Type.Boolean(),
	is_security_fix: Type.Boolean(),
	notes: nullable(Type.String()),
	release: Type.String({ description: "Release statement, compact JWS (docs/protocol.md §4)" }),
	download_url: Type.String({ description: "Relative to the server" }),
});

export const CHECK_OPERATION = {
	tag: "Device interface",
	summary: "Is there an update (system B)",
	rawBody: { "application/json": CheckBody },
	answers: {
		200: Type.Object({ update_available: Type.Boolean(), firmware: Type.Optional(FirmwareAnswer) }),
	},
	errors: ["device-type-mismatch", "chip-mismatch"],
} as const satisfies Operation;

const StatusBody = Type.Object({
	device_id: Type.Optional(DeviceIdSchema),
	status: oneOf(OTA_STATUSES),
	firmware_id: Type.Integer({ minimum: 1, description: "Of the check's answer" }),
	current_version: Type.Optional(VersionSchema),
	bytes_downloaded: Type.Optional(Type.Integer({ minimum: 0, maximum: IMAGE_MAX_BYTES })),
	error_code: Type.Optional(Type.String()),
	error: Type.Optional(Type.String()),
});

export const OTA_STATUS_OPERATION = {
	tag: "Device interface",
	summary: "How an update goes (system B)",
	rawBody: { "application/json": StatusBody },
	answers: REPORT_OPERATION.answers,
	errors: ["release-unknown"],
} as const satisfies Operation;
