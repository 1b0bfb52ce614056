// What a rollout looks like on the wire, with its limits. Used by the rollout routes; what a schema cannot say is
// checkPlan().
import { Type } from "typebox";
import { MEMBER_STATUSES, ROLLOUT_STATES } from "../domain/rollout-plan.js";
import { DAYS } from "../domain/schedule-window.js";
import { CursorSchema, DeviceIdSchema, NameSchema, nullable, oneOf, ReasonSchema } from "./schemas.js";
import { TimeAnswer } from "./time.js";

export const NAMED_DEVICES_MAX = 10_000;
const WAVES_MAX = 20;
const WEEK_MINUTES = 10_080;

const closed = { additionalProperties: false };
const Percent = Type.Number({ minimum: 0, maximum: 100 });
const SharePercent = Type.Number({ minimum: 0.01, maximum: 100 });
const LocalTime = Type.String({ pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$", description: "HH:MM" });

const WaveSchema = Type.Object(
	{
		share_percent: SharePercent,
		min_wait_minutes: Type.Integer({ minimum: 0, maximum: 4 * WEEK_MINUTES }),
		min_success_percent: Percent,
		min_finished_count: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
	},
	closed,
);

const PlanFields = {
	waves: Type.Array(WaveSchema, { minItems: 1, maxItems: WAVES_MAX }),
	stop_rule: nullable(
		Type.Object(
			{
				max_failure_percent: Percent,
				min_failure_count: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
			},
			closed,
		),
	),
	on_stop: oneOf(["pause", "roll_back"]),
	window: nullable(
		Type.Object(
			{
				from: LocalTime,
				to: LocalTime,
				days: Type.Array(oneOf(DAYS), { minItems: 1, maxItems: 7, uniqueItems: true }),
			},
			{ ...closed, description: "Local time of the device; over midnight where `to` is before `from`" },
		),
	),
	max_concurrent_downloads: Type.Integer({ minimum: 0, maximum: 100_000, description: "0: no limit" }),
	retry: Type.Object(
		{
			max_attempts: Type.Integer({ minimum: 1, maximum: 20 }),
			delay_minutes: Type.Integer({ minimum: 0, maximum: WEEK_MINUTES }),
		},
		closed,
	),
};

export const TargetSchema = Type.Union([
	Type.Object({ kind: Type.Literal("all") }, closed),
	Type.Object({ kind: Type.Literal("group"), group: NameSchema }, closed),
	Type.Object({ kind: Type.Literal("tag"), tag: NameSchema }, closed),
	Type.Object({ kind: Type.Literal("share"), share_percent: SharePercent }, closed),
	Type.Object(
		{
			kind: Type.Literal("devices"),
			device_ids: Type.Array(DeviceIdSchema, {
				minItems: 1,
				maxItems: NAMED_DEVICES_MAX,
				uniqueItems: true,
			}),
		},
		closed,
	),
]);

const HeadFields = {
	name: Type.String({ minLength: 1, maxLength: 80, pattern: "^[^\\u0000-\\u001f\\u007f]+$" }),
	release_id: CursorSchema,
	target: TargetSchema,
	priority: Type.Integer({ minimum: -1000, maximum: 1000 }),
};

export const PlanSchema = Type.Partial(Type.Object(PlanFields));
/** Whom it is for and what of must be said; the rest has defaults. */
export const NewRolloutBody = Type.Object(
	{
		name: HeadFields.name,
		release_id: HeadFields.release_id,
		target: HeadFields.target,
		priority: Type.Optional(HeadFields.priority),
		...PlanSchema.properties,
	},
	closed,
);
export const RolloutPatchBody = Type.Partial(
	Type.Object({
		name: HeadFields.name,
		target: HeadFields.target,
		priority: HeadFields.priority,
		...PlanFields,
	}),
	{ ...closed, minProperties: 1 },
);
export const RolloutReasonBody = Type.Object({ reason: ReasonSchema }, closed);
export const RolloutPath = Type.Object({ rollout_id: CursorSchema });

const Counts = Type.Record(oneOf(MEMBER_STATUSES), Type.Integer());

export const RolloutAnswer = Type.Object({
	id: Type.Integer(),
	name: Type.String(),
	release_id: Type.Integer(),
	device_type: Type.String(),
	chip: Type.String(),
	target: Type.Object({ kind: Type.String() }),
	priority: Type.Integer(),
	...PlanFields,
	state: oneOf(ROLLOUT_STATES),
	state_reason: nullable(Type.String()),
	wave: nullable(Type.Integer({ description: "The last one that is open, counted from 0" })),
	created_by: Type.String(),
	created_at: TimeAnswer,
	updated_at: TimeAnswer,
	started_at: nullable(TimeAnswer),
	finished_at: nullable(TimeAnswer),
});

export const RolloutDetailAnswer = Type.Object({
	...RolloutAnswer.properties,
	counts: Counts,
	wave_counts: Type.Array(
		Type.Object({
			wave: Type.Integer(),
			share_percent: Type.Number(),
			device_count: nullable(Type.Integer({ description: "Within reach; null before they were counted" })),
			counts: Counts,
		}),
	),
	events: Type.Array(
		Type.Object({
			id: Type.Integer(),
			time: TimeAnswer,
			type: Type.String(),
			actor: Type.String(),
			reason: nullable(Type.String()),
			details: Type.Record(Type.String(), Type.Unknown()),
		}),
	),
});

const Sample = Type.Object({ count: Type.Integer(), device_ids: Type.Array(Type.String()) });

export const PreviewAnswer = Type.Object({
	waves: Type.Array(Sample),
	left_out: Type.Record(Type.String(), Sample),
	known_bad: Type.Object(Sample.properties, {
		description: "In the waves, but they came back from this release and will refuse it: each is a failure",
	}),
	warnings: Type.Array(Type.String()),
});

export const MemberAnswer = Type.Object({
	device_id: Type.String(),
	wave: Type.Integer(),
	status: oneOf(MEMBER_STATUSES),
	attempts: Type.Integer(),
	next_try_at: nullable(TimeAnswer),
	offered_at: TimeAnswer,
	finished_at: nullable(TimeAnswer),
	rollback_order_id: nullable(Type.Integer()),
});
