// What tells others how the server does, while it happens: streams of events, webhooks, metrics, readiness. Made and
// ended by app.ts.
import type { FastifyBaseLogger } from "fastify";
import type { RefusalLog } from "./auth/refusal-log.js";
import { createEventFeed, type EventFeed } from "./live/event-feed.js";
import { createFleetMetrics, type FleetMetrics } from "./metrics/fleet-metrics.js";
import { createProcessMetrics, type ProcessMetrics } from "./metrics/process-metrics.js";
import { createReadiness, type Readiness } from "./readiness.js";
import type { RegularTask } from "./regular-work.js";
import { poolCountsOf } from "./stores/database.js";
import type { ImageStore } from "./stores/image-store.js";
import type { Records } from "./stores/tables.js";
import { createDeliveryWorker, DELIVERY_POLL_MS } from "./webhooks/delivery-worker.js";
import type { LookupAll } from "./webhooks/target-guard.js";

const STREAM_STALL_MS = 30_000;

export interface LiveOptions {
	/** The scraper's own token. Default: none, then a viewer's token opens the metrics. */
	readonly metricsToken?: string | undefined;
	/** Whether webhooks may reach addresses that are not public. Default: false. */
	readonly arePrivateWebhooksAllowed?: boolean | undefined;
	/** Default: the system's names. */
	readonly resolveWebhooks?: LookupAll | undefined;
	/** How often streams ask the database for events, in milliseconds. Default 1000. */
	readonly eventPollMs?: number | undefined;
	/** After which a stream whose reader takes nothing is cut, in milliseconds. Default 30000. */
	readonly streamStallMs?: number | undefined;
}

export interface LiveTools {
	readonly db: Records;
	readonly images: ImageStore;
	readonly masterKey: Uint8Array;
	readonly log: FastifyBaseLogger;
	readonly nowMs: () => number;
	readonly refusals: RefusalLog;
}

/** Part of Services. */
export interface LiveServices {
	readonly events: EventFeed;
	readonly streamStallMs: number;
	readonly processMetrics: ProcessMetrics;
	readonly fleetMetrics: FleetMetrics;
	readonly metricsToken: string | undefined;
	readonly arePrivateWebhooksAllowed: boolean;
	readonly readiness: () => Promise<Readiness>;
	readonly refusals: RefusalLog;
}

export interface Live {
	readonly services: LiveServices;
	readonly tasks: readonly RegularTask[];
	/** Waits for deliveries under way, 10 s at most. */
	close(): Promise<void>;
}

export function createLive(options: LiveOptions, tools: LiveTools): Live {
	const { db, log } = tools;
	const arePrivateWebhooksAllowed = options.arePrivateWebhooksAllowed ?? false;
	const events = createEventFeed({ db, log, pollMs: options.eventPollMs ?? 1000 });
	const processMetrics = createProcessMetrics();
	const worker = createDeliveryWorker({
		...tools,
		send: { isPrivateAllowed: arePrivateWebhooksAllowed, resolve: options.resolveWebhooks },
	});
	const { watch } = processMetrics;
	watch("fota_event_streams", "Event streams open", events.readerCount);
	watch("fota_webhook_attempts", "Webhook deliveries under way", worker.sendingCount);
	watch("fota_database_connections", "Connections to PostgreSQL", () => poolCountsOf(db)?.total);
	watch("fota_database_connections_idle", "Of these, those that are free", () => poolCountsOf(db)?.idle);
	watch("fota_database_waiting", "Requests that wait for one", () => poolCountsOf(db)?.waiting);
	return {
		services: {
			events,
			streamStallMs: options.streamStallMs ?? STREAM_STALL_MS,
			processMetrics,
			fleetMetrics: createFleetMetrics(db),
			metricsToken: options.metricsToken,
			arePrivateWebhooksAllowed,
			readiness: createReadiness(tools),
			refusals: processMetrics.countRefusals(tools.refusals),
		},
		tasks: [{ everyMs: DELIVERY_POLL_MS, run: worker.poll }],
		close: worker.close,
	};
}
