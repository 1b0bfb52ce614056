// Rollouts for the operator: made, looked at, changed while they are drafts. What starts and ends them is
// rollout-action-routes.ts.
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { audit } from "../auth/audit.js";
import { operatorOf } from "../auth/operator.js";
import { MEMBER_STATUSES, ROLLOUT_STATES, type RolloutPlan } from "../domain/rollout-plan.js";
import type { Server, Services } from "../services.js";
import { findReleaseById } from "../stores/release-store.js";
import { type Preview, previewRollout } from "../stores/rollout-census.js";
import { listMembers } from "../stores/rollout-member-store.js";
import { createRollout, patchRollout } from "../stores/rollout-service.js";
import { findRollout, listRivals, listRollouts, planOf } from "../stores/rollout-store.js";
import type { Records, ReleaseRow, RolloutRow } from "../stores/tables.js";
import { describe } from "./operation.js";
import { memberAnswer, rolloutAnswer, rolloutDetailAnswer } from "./rollout-answer.js";
import {
	MemberAnswer,
	NewRolloutBody,
	type PlanSchema,
	PreviewAnswer,
	RolloutAnswer,
	RolloutDetailAnswer,
	RolloutPatchBody,
	RolloutPath,
} from "./rollout-schemas.js";
import { CursorSchema, DeviceIdSchema, LimitSchema, NameSchema, nullable, oneOf } from "./schemas.js";

/** Ten thousand names of devices, and the rest. */
const BODY_MAX_BYTES = 512 * 1024;

/** Everyone at once, and nothing that stops it, is what default offers do; a rollout is made to be careful. */
const DEFAULT_PLAN: RolloutPlan = {
	waves: [
		{ share_percent: 1, min_wait_minutes: 60, min_success_percent: 90, min_finished_count: 1 },
		{ share_percent: 10, min_wait_minutes: 60, min_success_percent: 90, min_finished_count: 10 },
		{ share_percent: 100, min_wait_minutes: 0, min_success_percent: 0, min_finished_count: 0 },
	],
	stop_rule: { max_failure_percent: 20, min_failure_count: 3 },
	on_stop: "pause",
	window: null,
	max_concurrent_downloads: 0,
	retry: { max_attempts: 3, delay_minutes: 60 },
};

const ListQuery = Type.Object(
	{
		state: Type.Optional(oneOf(ROLLOUT_STATES)),
		device_type: Type.Optional(NameSchema),
		release_id: Type.Optional(CursorSchema),
		before: Type.Optional(CursorSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const MemberQuery = Type.Object(
	{
		status: Type.Optional(oneOf(MEMBER_STATUSES)),
		wave: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
		after: Type.Optional(DeviceIdSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);

export function registerRolloutRoutes(server: Server, services: Services): void {
	registerListRoutes(server, services);
	registerViewRoutes(server, services);
	registerDraftRoutes(server, services);
}

function registerListRoutes(server: Server, { db }: Services): void {
	server.get(
		"/api/rollouts",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Rollouts",
				summary: "Rollouts, the newest first",
				querystring: ListQuery,
				answers: {
					200: Type.Object({
						rollouts: Type.Array(RolloutAnswer),
						next_before: nullable(Type.Integer()),
					}),
				},
			}),
		},
		async (request) => {
			const { device_type: deviceType, release_id: releaseId, limit = 100, ...rest } = request.query;
			const rows = await listRollouts(db, { ...rest, deviceType, releaseId, limit });
			const last = rows.length === limit ? rows.at(-1) : undefined;
			return { rollouts: rows.map(rolloutAnswer), next_before: last?.id ?? null };
		},
	);
	server.get(
		"/api/rollouts/:rollout_id/devices",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Rollouts",
				summary: "Devices that were offered the release, in order of their ids",
				params: RolloutPath,
				querystring: MemberQuery,
				answers: {
					200: Type.Object({
						devices: Type.Array(MemberAnswer),
						next_after: nullable(Type.String()),
					}),
				},
				errors: ["not-found"],
			}),
		},
		async (request) => {
			const { id: rolloutId } = await knownRollout(db, request.params.rollout_id);
			const { status, wave, after, limit = 100 } = request.query;
			const statuses = status === undefined ? undefined : [status];
			const rows = await listMembers(db, { rolloutId, statuses, wave, after, limit });
			return { devices: rows.map(memberAnswer), next_after: rows.at(-1)?.device_id ?? after ?? null };
		},
	);
}

function registerViewRoutes(server: Server, { db }: Services): void {
	server.get(
		"/api/rollouts/:rollout_id",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Rollouts",
				summary: "One rollout: where its devices stand, and what happened to it",
				params: RolloutPath,
				answers: { 200: RolloutDetailAnswer },
				errors: ["not-found"],
			}),
		},
		async (request) => rolloutDetailAnswer(db, await knownRollout(db, request.params.rollout_id)),
	);
	server.get(
		"/api/rollouts/:rollout_id/preview",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Rollouts",
				summary: "Who would get it in which wave, and who is left out and why",
				params: RolloutPath,
				answers: { 200: PreviewAnswer },
				errors: ["not-found"],
			}),
		},
		async (request) => {
			const row = await knownRollout(db, request.params.rollout_id);
			const release = await findReleaseById(db, row.release_id);
			if (release === undefined) throw new FotaError("release-unknown", "no such release");
			const preview = await previewRollout(db, row, release);
			const warnings = [
				...(await warningsFor(db, row, release)),
				...emptyWaveWarnings(row, preview),
				...knownBadWarnings(preview),
			];
			return { ...preview, warnings };
		},
	);
}

async function warningsFor(db: Records, row: RolloutRow, release: ReleaseRow): Promise<string[]> {
	const warnings = release.is_active === 1 ? [] : ["the release is not active"];
	for (const rival of await listRivals(db, row)) {
		const isBefore = rival.priority > row.priority || (rival.priority === row.priority && rival.id > row.id);
		const order = isBefore ? "goes before this one" : "gives way to this one";
		warnings.push(
			`rollout ${rival.id} (${rival.state}, priority ${rival.priority}) ${order} for devices that are in both`,
		);
	}
	return warnings;
}

function knownBadWarnings({ known_bad: { count } }: Preview): string[] {
	if (count === 0) return [];
	const who =
		count === 1 ? "1 device came back from it and refuses" : `${count} devices came back from it and refuse`;
	return [`${who} this release (release-known-bad), which the stop rule counts as failed`];
}

/** Each wave has devices of its own, that are in none before. */
function emptyWaveWarnings(row: RolloutRow, { waves }: Preview): string[] {
	const rules = planOf(row).waves;
	return rules.flatMap(({ share_percent: share }, wave) => {
		if (waves[wave]?.count !== 0) return [];
		const what = `no device is in wave ${wave} (${share} %)`;
		return [wave === rules.length - 1 ? what : `${what}: the next one must meet its conditions as well`];
	});
}

function registerDraftRoutes(server: Server, services: Services): void {
	const { db } = services;
	server.post(
		"/api/rollouts",
		{
			bodyLimit: BODY_MAX_BYTES,
			config: { role: "operator" },
			schema: describe({
				tag: "Rollouts",
				summary: "Make a rollout; it is a draft until it is started",
				body: NewRolloutBody,
				answers: { 201: RolloutDetailAnswer },
				errors: ["release-unknown"],
			}),
		},
		async (request, reply) => {
			const { name, release_id: releaseId, target, priority = 0, ...plan } = request.body;
			const seed = services.newRolloutSeed();
			const wanted = { name, releaseId, target, priority, seed, plan: { ...DEFAULT_PLAN, ...given(plan) } };
			const doing = { actor: operatorOf(request).actor, nowMs: services.nowMs() };
			const row = await db.transaction().execute(async (transaction) => {
				const made = await createRollout(transaction, wanted, doing);
				const details = { name, release_id: releaseId, target: target.kind };
				const done = { action: "rollout.create", target: `rollout:${made.id}`, details, nowMs: doing.nowMs };
				await audit(transaction, request, done);
				return made;
			});
			return reply.code(201).send(await rolloutDetailAnswer(db, row));
		},
	);
	server.patch(
		"/api/rollouts/:rollout_id",
		{
			bodyLimit: BODY_MAX_BYTES,
			config: { role: "operator" },
			schema: describe({
				tag: "Rollouts",
				summary: "Change a draft",
				params: RolloutPath,
				body: RolloutPatchBody,
				answers: { 200: RolloutDetailAnswer },
				errors: ["not-found", "rollout-conflict"],
			}),
		},
		async (request) => {
			const { rollout_id: id } = request.params;
			const { name, target, priority, ...plan } = request.body;
			const doing = { actor: operatorOf(request).actor, nowMs: services.nowMs() };
			const row = await db.transaction().execute(async (transaction) => {
				const patch = { name, target, priority, plan: given(plan) };
				const changed = await patchRollout(transaction, id, patch, doing);
				const details = { fields: Object.keys(request.body).join(" ") };
				const done = { action: "rollout.change", target: `rollout:${id}`, details, nowMs: doing.nowMs };
				await audit(transaction, request, done);
				return changed;
			});
			return rolloutDetailAnswer(db, row);
		},
	);
}

/** Without what was not given: the defaults must not be overwritten by nothing. */
function given(plan: Static<typeof PlanSchema>): Partial<RolloutPlan> {
	return Object.fromEntries(Object.entries(plan).filter(([, value]) => value !== undefined));
}

/** Throws `not-found`. */
export async function knownRollout(db: Records, id: number): Promise<RolloutRow> {
	const row = await findRollout(db, id);
	if (row === undefined) throw new FotaError("not-found", "no such rollout");
	return row;
}
