// What device-status-routes.ts takes and answers, for validation and for the OpenAPI document.
import { Type } from "typebox";
import { describe } from "./operation.js";
import { DeviceIdSchema, LimitSchema, ReasonSchema } from "./schemas.js";
import { TimeAnswer } from "./time.js";

const StatusQuery = Type.Object(
	{
		device_id: Type.Optional(DeviceIdSchema),
		after: Type.Optional(DeviceIdSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const RollbackBody = Type.Object(
	{ device_id: DeviceIdSchema, reason: ReasonSchema },
	{ additionalProperties: false },
);

const OrderAnswer = Type.Object({
	order_id: Type.Integer(),
	reason: Type.String(),
	ordered_at: TimeAnswer,
	done_at: Type.Union([TimeAnswer, Type.Null()]),
});
const Text = Type.Union([Type.String(), Type.Null()]);
const Count = Type.Union([Type.Integer(), Type.Null()]);
const Flag = Type.Union([Type.Boolean(), Type.Null()]);
const Time = Type.Union([TimeAnswer, Type.Null()]);
/** Most is there once the device has reported; names as in a report (docs/protocol.md §7). */
const StatusAnswer = Type.Object({
	device_id: Type.String(),
	device_type: Type.String(),
	chip: Text,
	is_legacy: Type.Boolean(),
	last_seen: Time,
	build_number: Type.Union([Type.Integer(), Type.Null()], {
		description: "As the device last said of what it runs",
	}),
	fota_state: Type.Union([Type.String(), Type.Null()], { description: "Null: it never reported" }),
	boot_status: Type.Optional(Type.String()),
	reported_device_type: Type.Optional(Type.String()),
	version: Type.Optional(Type.String()),
	slot: Type.Optional(Type.String()),
	reset_reason: Type.Optional(Type.String()),
	uptime_s: Type.Optional(Type.Integer()),
	target_version: Type.Optional(Text),
	target_hash: Type.Optional(Text),
	chunk_received: Type.Optional(Count),
	total_chunks: Type.Optional(Count),
	progress: Type.Optional(Type.Union([Type.Integer(), Type.Null()], { description: "Per cent" })),
	verified: Type.Optional(Flag),
	trial_boots: Type.Optional(Count),
	rollback: Type.Optional(Flag),
	error_code: Type.Optional(Text),
	error: Type.Optional(Text),
	last_error: Type.Optional(
		Type.Union([Type.Object({ error_code: Type.String(), error: Text, reported_at: Time }), Type.Null()], {
			description: "Since the last update that was completed",
		}),
	),
	reported_at: Time,
	rollback_order: Type.Union([OrderAnswer, Type.Null()], { description: "The last one, done or not" }),
});

export const STATUS = describe({
	tag: "Devices",
	summary: "What the devices reported last: of one, or in pages",
	querystring: StatusQuery,
	answers: {
		200: Type.Union([
			StatusAnswer,
			Type.Object({
				devices: Type.Array(StatusAnswer),
				next_after: Type.Union([Type.String(), Type.Null()]),
			}),
		]),
	},
	errors: ["device-unknown"],
});
export const ORDER = describe({
	tag: "Devices",
	summary: "Order a device to go back to its previous firmware",
	body: RollbackBody,
	answers: { 201: Type.Object({ device_id: Type.String(), ...OrderAnswer.properties }) },
	errors: ["device-unknown"],
});
