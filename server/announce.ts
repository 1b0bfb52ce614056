// Tells whoever watches the server's output what became of devices and releases: the events that matter to an operator,
// as log lines. Called by the routes and the refusal log once an event is recorded; the event log itself is
// stores/event-store.ts.
import type { FastifyBaseLogger } from "fastify";
import { type LogEvent, logLevelOf } from "./domain/event.js";

/** An event that stands in both logs is one line. */
export function announce(log: FastifyBaseLogger, events: readonly LogEvent[]): void {
	const told = new Set<string>();
	for (const event of events) {
		const level = logLevelOf(event);
		if (level === undefined || told.has(event.type)) continue;
		told.add(event.type);
		log[level]({ device: event.deviceId, ...event.details }, event.type.replaceAll("_", " "));
	}
}
