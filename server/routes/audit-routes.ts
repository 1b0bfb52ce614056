// The audit log, for an admin: read it, and check that it is whole.
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Server, Services } from "../services.js";
import { checkAudit, findAuditHead, findLine, listAudit } from "../stores/audit-store.js";
import type { AuditLogRow } from "../stores/tables.js";
import { describe } from "./operation.js";
import { CursorSchema, HashSchema, LimitSchema } from "./schemas.js";
import { TimeAnswer, TimeSchema, timeMsOf, timeOf } from "./time.js";

const NAME = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,79}$" });
const ListQuery = Type.Object(
	{
		actor: Type.Optional(NAME),
		action: Type.Optional(NAME),
		target: Type.Optional(NAME),
		since: Type.Optional(TimeSchema),
		until: Type.Optional(TimeSchema),
		after: Type.Optional(CursorSchema),
		before: Type.Optional(CursorSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const CheckQuery = Type.Object(
	{
		after: Type.Optional(CursorSchema),
		limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000 })),
		known_id: Type.Optional(CursorSchema),
		known_hash: Type.Optional(HashSchema),
	},
	{ additionalProperties: false },
);
const LineAnswer = Type.Object({
	id: Type.Integer({ description: "Rises by one from 1" }),
	time: TimeAnswer,
	at_ms: Type.Integer(),
	actor: Type.String({ description: "user:NAME, token:NAME, or server" }),
	role: Type.Union([Type.String(), Type.Null()]),
	action: Type.String(),
	target: Type.Union([Type.String(), Type.Null()]),
	details: Type.Record(Type.String(), Type.Unknown()),
	details_text: Type.String({ description: "The details as they are hashed" }),
	request_id: Type.Union([Type.String(), Type.Null()]),
	address: Type.Union([Type.String(), Type.Null()]),
	previous_hash: Type.String(),
	hash: Type.String(),
});
const CheckAnswer = Type.Object({
	is_whole: Type.Boolean({ description: "No fault in the lines that were looked at" }),
	checked: Type.Integer(),
	fault: Type.Union([
		Type.Object({
			id: Type.Integer(),
			kind: Type.Union([
				Type.Literal("missing", { description: "A line is gone" }),
				Type.Literal("not-linked", { description: "The line does not follow the one before it" }),
				Type.Literal("changed", { description: "The line is not what was hashed" }),
				Type.Literal("truncated", { description: "The known line is gone or another one" }),
			]),
		}),
		Type.Null(),
	]),
	next_after: Type.Union([Type.Integer(), Type.Null()], { description: "Null: nothing is left to check" }),
	head: Type.Object(
		{ id: Type.Integer(), hash: Type.String() },
		{ description: "The last line; keep it elsewhere, and give it as known_id and known_hash later" },
	),
});

const LIST = describe({
	tag: "Logs",
	summary: "The audit log: the newest lines, or those behind or before one; in rising order",
	querystring: ListQuery,
	answers: {
		200: Type.Object({
			lines: Type.Array(LineAnswer),
			next_after: Type.Integer(),
			next_before: Type.Union([Type.Integer(), Type.Null()]),
		}),
	},
	errors: ["request-malformed"],
});
const CHECK = describe({
	tag: "Logs",
	summary: "Is the audit log whole?",
	description:
		"Walks the chain of hashes behind `after`, at most `limit` lines (default 5000). Go on with `next_after` until it is null. " +
		"A line that is known from elsewhere is asked for with its number and its hash.",
	querystring: CheckQuery,
	answers: { 200: CheckAnswer },
});

export function registerAuditRoutes(server: Server, services: Services): void {
	const config = { role: "admin" } as const;
	server.get("/api/audit", { config, schema: LIST }, async (request) => {
		const { since, until, limit = 100, ...rest } = request.query;
		const times = { sinceMs: timeMsOf(since), untilMs: timeMsOf(until) };
		const rows = await listAudit(services.db, { ...rest, ...times, limit });
		return {
			lines: rows.map(lineAnswer),
			next_after: rows.at(-1)?.id ?? rest.after ?? 0,
			next_before: rows[0]?.id ?? null,
		};
	});
	server.get("/api/audit/verify", { config, schema: CHECK }, async (request) =>
		verify(services, request.query),
	);
}

async function verify({ db }: Services, query: Static<typeof CheckQuery>) {
	const { after = 0, limit = 5000, known_id: knownId, known_hash: knownHash } = query;
	// Threat: a line that is asked for without its hash, or the other way round, and "whole" as the answer.
	if ((knownId === undefined) !== (knownHash === undefined))
		throw new FotaError("request-malformed", "known_id and known_hash belong together");
	const check = await checkAudit(db, { after, limit });
	const isTruncated =
		knownId !== undefined && knownHash !== undefined && (await findLine(db, knownId))?.hash !== knownHash;
	const fault = check.fault ?? (isTruncated ? { id: knownId, kind: "truncated" as const } : null);
	return {
		is_whole: fault === null,
		checked: check.checkedCount,
		fault,
		next_after: check.isAtEnd ? null : check.last.id,
		head: await findAuditHead(db),
	};
}

function lineAnswer(row: AuditLogRow) {
	return {
		id: row.id,
		time: timeOf(row.at_ms),
		at_ms: row.at_ms,
		actor: row.actor,
		role: row.role,
		action: row.action,
		target: row.target,
		details: JSON.parse(row.details) as Record<string, unknown>,
		details_text: row.details,
		request_id: row.request_id,
		address: row.address,
		previous_hash: row.previous_hash,
		hash: row.hash,
	};
}
