// What webhooks and their deliveries look like in requests and answers.
import { type Static, Type } from "typebox";
import { FOTA_EVENT_TYPES, SECURITY_EVENT_TYPES } from "../domain/event.js";
import { DELIVERY_STATUSES } from "../domain/webhook.js";
import type { WebhookDeliveryRow, WebhookRow } from "../stores/tables.js";
import { filterOf } from "../stores/webhook-store.js";
import { CursorSchema, DescriptionSchema, DeviceIdSchema, LimitSchema, nullable } from "./schemas.js";
import { timeOf } from "./time.js";

const EVENT_TYPES = [...new Set<string>([...FOTA_EVENT_TYPES, ...SECURITY_EVENT_TYPES])];
const URL_MAX_CHARS = 500;

const UrlSchema = Type.String({
	minLength: 10,
	maxLength: URL_MAX_CHARS,
	pattern: "^https?://[!-~]+$",
	description: "Where messages are POSTed; a public address",
});
const Optional = {
	description: Type.Optional(nullable(DescriptionSchema)),
	log: Type.Optional(
		nullable(
			Type.Union([Type.Literal("fota"), Type.Literal("security")], {
				description: "Events of this log only; null: both",
			}),
		),
	),
	types: Type.Optional(
		nullable(
			Type.Array(Type.Enum(EVENT_TYPES), {
				minItems: 1,
				maxItems: EVENT_TYPES.length,
				description: "Events of these types only; null: all but chunk_received and boot_status",
			}),
		),
	),
	device_id: Type.Optional(nullable(DeviceIdSchema)),
};

export const WebhookBody = Type.Object({ url: UrlSchema, ...Optional }, { additionalProperties: false });
export const WebhookChange = Type.Object(
	{ url: Type.Optional(UrlSchema), is_active: Type.Optional(Type.Boolean()), ...Optional },
	{ additionalProperties: false },
);
export const WebhookPath = Type.Object({ id: CursorSchema }, { additionalProperties: false });
export const DeliveryPath = Type.Object(
	{ id: CursorSchema, delivery_id: CursorSchema },
	{ additionalProperties: false },
);
const StatusSchema = Type.Enum([...DELIVERY_STATUSES]);
export const DeliveryQuery = Type.Object(
	{
		status: Type.Optional(StatusSchema),
		after: Type.Optional(CursorSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);

const text = nullable(Type.String());
export const WebhookAnswer = Type.Object({
	id: Type.Integer(),
	url: Type.String(),
	description: text,
	log: text,
	types: nullable(Type.Array(Type.String())),
	device_id: text,
	is_active: Type.Boolean(),
	failing_since: text,
	deactivated_reason: text,
	created_by: Type.String(),
	created_at: text,
	updated_at: text,
});
export const SecretAnswer = Type.Object({
	...WebhookAnswer.properties,
	secret: Type.String({ description: "Shown this once; begins with whsec_" }),
});
export const DeliveryAnswer = Type.Object({
	id: Type.Integer(),
	message_id: Type.String({ description: "The webhook-id header, the same at each attempt" }),
	event_id: nullable(Type.Integer()),
	type: Type.String(),
	status: StatusSchema,
	attempts: Type.Integer(),
	next_try: text,
	response_status: nullable(Type.Integer()),
	duration_ms: nullable(Type.Integer()),
	error: text,
	created_at: text,
	finished_at: text,
});

export function webhookAnswer(row: WebhookRow): Static<typeof WebhookAnswer> {
	const { types, deviceId } = filterOf(row);
	return {
		id: row.id,
		url: row.url,
		description: row.description,
		log: row.log,
		types: types === null ? null : [...types],
		device_id: deviceId,
		is_active: row.is_active === 1,
		failing_since: timeOf(row.failing_since_ms),
		deactivated_reason: row.deactivated_reason,
		created_by: row.created_by,
		created_at: timeOf(row.created_at_ms),
		updated_at: timeOf(row.updated_at_ms),
	};
}

export function deliveryAnswer(row: WebhookDeliveryRow): Static<typeof DeliveryAnswer> {
	return {
		id: row.id,
		message_id: row.message_id,
		event_id: row.event_id,
		type: row.type,
		status: row.status,
		attempts: row.attempts,
		next_try: timeOf(row.next_try_at_ms),
		response_status: row.response_status,
		duration_ms: row.duration_ms,
		error: row.error,
		created_at: timeOf(row.created_at_ms),
		finished_at: timeOf(row.finished_at_ms),
	};
}
