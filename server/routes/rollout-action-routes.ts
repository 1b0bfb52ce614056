// What an operator does with a rollout: start, pause, resume, abort, roll back, try failed devices again; delete a draft.
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import { operatorOf } from "../auth/operator.js";
import { ROLLOUT_ACTIONS, type RolloutAction } from "../domain/rollout-plan.js";
import type { Server, Services } from "../services.js";
import {
	actOnRollout,
	deleteDraft,
	type RetriedPage,
	retryFailedDevices,
} from "../stores/rollout-service.js";
import { describe } from "./operation.js";
import { rolloutDetailAnswer } from "./rollout-answer.js";
import { knownRollout } from "./rollout-routes.js";
import { RolloutDetailAnswer, RolloutPath, RolloutReasonBody } from "./rollout-schemas.js";

const SUMMARIES: Readonly<Record<RolloutAction, string>> = {
	start: "Start a draft: its first wave opens; from then on the release is offered by its rollouts only",
	pause: "Offer it to nobody more; who downloads already goes on",
	resume: "Go on; the stop rule counts from here where it would strike again",
	abort: "End it for good: downloads under way are ended, who runs the release keeps it",
	"roll-back": "End it, and order back who runs the release; also after it was aborted or completed",
};

export function registerRolloutActionRoutes(server: Server, services: Services): void {
	for (const action of ROLLOUT_ACTIONS) registerAction(server, services, action);
	registerRetry(server, services);
	registerDelete(server, services);
}

function registerAction(server: Server, services: Services, action: RolloutAction): void {
	const { db } = services;
	server.post(
		`/api/rollouts/:rollout_id/${action}`,
		{
			config: { role: "operator" },
			schema: describe({
				tag: "Rollouts",
				summary: SUMMARIES[action],
				params: RolloutPath,
				body: RolloutReasonBody,
				answers: { 200: RolloutDetailAnswer },
				errors: ["not-found", "rollout-conflict"],
			}),
		},
		async (request) => {
			const { rollout_id: id } = request.params;
			const act = actOf(services, request);
			const events = await db.transaction().execute(async (transaction) => {
				const news = await actOnRollout(transaction, id, action, act);
				const { reason, nowMs } = act;
				await audit(transaction, request, {
					action: `rollout.${action}`,
					target: `rollout:${id}`,
					details: { reason },
					nowMs,
				});
				return news;
			});
			announce(request.log, events);
			return rolloutDetailAnswer(db, await knownRollout(db, id));
		},
	);
}

function registerRetry(server: Server, services: Services): void {
	const { db } = services;
	server.post(
		"/api/rollouts/:rollout_id/retry-failed",
		{
			config: { role: "operator" },
			schema: describe({
				tag: "Rollouts",
				summary: "Offer the release anew to devices that failed for good",
				params: RolloutPath,
				body: RolloutReasonBody,
				answers: { 200: Type.Object({ device_count: Type.Integer() }) },
				errors: ["not-found", "rollout-conflict"],
			}),
		},
		async (request) => {
			const { rollout_id: id } = request.params;
			const act = actOf(services, request);
			const retryFrom = (after: string) =>
				db.transaction().execute(async (transaction) => {
					const page = await retryFailedDevices(transaction, { rolloutId: id, after, ...act });
					await audit(transaction, request, {
						action: "rollout.retry-failed",
						target: `rollout:${id}`,
						details: { reason: act.reason, device_count: page.count },
						nowMs: act.nowMs,
					});
					return page;
				});
			let deviceCount = 0;
			for (let after: string | undefined = ""; after !== undefined; ) {
				const { count, next }: RetriedPage = await retryFrom(after);
				deviceCount += count;
				after = next;
			}
			return { device_count: deviceCount };
		},
	);
}

function registerDelete(server: Server, services: Services): void {
	const { db } = services;
	server.delete(
		"/api/rollouts/:rollout_id",
		{
			config: { role: "operator" },
			schema: describe({
				tag: "Rollouts",
				summary: "Delete a rollout that was never started",
				params: RolloutPath,
				answers: { 204: null },
				errors: ["not-found", "rollout-conflict"],
			}),
		},
		async (request, reply) => {
			const { rollout_id: id } = request.params;
			await db.transaction().execute(async (transaction) => {
				const { name, release_id } = await deleteDraft(transaction, id);
				const details = { name, release_id };
				const done = { action: "rollout.delete", target: `rollout:${id}`, details, nowMs: services.nowMs() };
				await audit(transaction, request, done);
			});
			return reply.code(204).send();
		},
	);
}

function actOf({ nowMs }: Services, request: FastifyRequest<{ Body: Static<typeof RolloutReasonBody> }>) {
	return { actor: operatorOf(request).actor, reason: request.body.reason, nowMs: nowMs() };
}
