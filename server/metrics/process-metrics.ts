// What this process counts about itself: requests, devices' calls, refusals, bytes. Made by app.ts; what the whole fleet
// is like comes from the database (fleet-metrics.ts). Labels are bounded: routes, statuses, causes; never a device.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { STATUS_PATH } from "../../src/protocol/status-report.js";
import type { RefusalLog } from "../auth/refusal-log.js";
import type { Server } from "../services.js";

export interface ProcessMetrics {
	readonly registry: Registry;
	/** Before routes are registered. */
	observe(server: Server): void;
	/** The same log, counted. */
	countRefusals(refusals: RefusalLog): RefusalLog;
	/** A number that is read when it is asked for. */
	watch(name: string, help: string, read: () => number | undefined): void;
}

const DURATIONS_S = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Causes are words of our own; this is for the day that one is not. */
const CAUSES_MAX = 32;
const NO_ROUTE = "none";

/** Of the process as a whole, once however many servers it runs: memory, CPU, event loop, garbage collection. */
const nodeMetrics = { registry: undefined as Registry | undefined };

export function nodeRegistry(): Registry {
	if (nodeMetrics.registry === undefined) {
		nodeMetrics.registry = new Registry();
		collectDefaultMetrics({ register: nodeMetrics.registry });
	}
	return nodeMetrics.registry;
}

export function createProcessMetrics(): ProcessMetrics {
	// Counts from here on, not from when it is first asked.
	nodeRegistry();
	const registry = new Registry();
	const counters = countersOf(registry);
	const causes = new Set<string>();
	const causeOf = (text: string) => {
		if (causes.size < CAUSES_MAX) causes.add(text);
		return causes.has(text) ? text : "other";
	};
	return {
		registry,
		observe: (server) => observe(server, counters),
		countRefusals: (refusals) => ({
			...refusals,
			note(event, source, kind) {
				const { cause } = event.details;
				counters.refusals.inc({ type: event.type, cause: typeof cause === "string" ? causeOf(cause) : "" });
				return refusals.note(event, source, kind);
			},
		}),
		watch(name, help, read) {
			const gauge = new Gauge({ name, help: `${help} (this process)`, registers: [registry], collect });
			function collect() {
				gauge.reset();
				const value = read();
				if (value !== undefined) gauge.set(value);
			}
		},
	};
}

type Counters = ReturnType<typeof countersOf>;

function countersOf(registry: Registry) {
	const registers = [registry];
	const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
		new Counter({ name, help: `${help} (this process)`, labelNames, registers });
	return {
		requests: counter("fota_http_requests_total", "Requests answered", ["method", "route", "status"]),
		durations: new Histogram({
			name: "fota_http_request_duration_seconds",
			help: "From the request's head to the end of the answer (this process)",
			labelNames: ["route"],
			buckets: DURATIONS_S,
			registers,
		}),
		polls: counter("fota_device_polls_total", "Manifest requests of devices", ["outcome"]),
		reports: counter("fota_device_reports_total", "Status reports of devices", ["outcome"]),
		imageBytes: counter("fota_image_bytes_sent_total", "Bytes of answers with parts of images", ["route"]),
		refusals: counter("fota_security_refusals_total", "Credentials refused, recorded or not", [
			"type",
			"cause",
		]),
		rateLimited: counter("fota_rate_limited_total", "Requests answered with 429", ["route"]),
	};
}

const IMAGE_ROUTE = /\/(chunk|download(\/:id)?)$/;

function observe(server: Server, counters: Counters): void {
	const startBytes = new WeakMap<object, number>();
	server.addHook("onRequest", async (request) => {
		startBytes.set(request, request.raw.socket.bytesWritten ?? 0);
	});
	server.addHook("onResponse", async (request, reply) => {
		const route = request.routeOptions.url ?? NO_ROUTE;
		const status = reply.statusCode;
		counters.requests.inc({ method: request.method, route, status });
		counters.durations.observe({ route }, reply.elapsedTime / 1000);
		if (route === MANIFEST_PATH) counters.polls.inc({ outcome: pollOutcome(status) });
		if (route === STATUS_PATH) counters.reports.inc({ outcome: status === 200 ? "accepted" : "refused" });
		if (status === 429) counters.rateLimited.inc({ route });
		if (!IMAGE_ROUTE.test(route)) return;
		// As the socket took them, heads included: a download that was broken off counts as far as it came.
		const sentBytes = (request.raw.socket.bytesWritten ?? 0) - (startBytes.get(request) ?? 0);
		if (sentBytes > 0) counters.imageBytes.inc({ route }, sentBytes);
	});
}

function pollOutcome(status: number): string {
	if (status === 200) return "offered";
	if (status === 204) return "nothing_new";
	return status === 503 ? "later" : "refused";
}
