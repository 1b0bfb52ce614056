// What the database knows of the fleet, as gauges: the same from every process, so a dashboard takes the maximum, not the
// sum. Read when /metrics is asked, at most every few seconds; without the database they are left out, and
// fota_database_up is 0.
import { Gauge, Registry } from "prom-client";
import { type FleetCensus, takeCensus, VERSIONS_MAX } from "../stores/fleet-census.js";
import type { Records } from "../stores/tables.js";
import { within } from "../within.js";

const KEPT_MS = 15_000;
const TIMEOUT_MS = 3000;

export interface FleetMetrics {
	/** Prometheus text. */
	collect(): Promise<string>;
}

export function createFleetMetrics(db: Records): FleetMetrics {
	const registry = new Registry();
	const gauges = gaugesOf(registry);
	let takenAtMs = Number.NEGATIVE_INFINITY;
	let pending: Promise<void> | undefined;
	const refresh = async () => {
		if (performance.now() - takenAtMs < KEPT_MS) return;
		try {
			show(gauges, await within(TIMEOUT_MS, takeCensus(db)));
			takenAtMs = performance.now();
		} catch {
			// Whatever the reason, old numbers must not pass for new ones; the reason is in the log of those who need it.
			for (const gauge of Object.values(gauges)) gauge.reset();
			gauges.isUp.set(0);
			takenAtMs = Number.NEGATIVE_INFINITY;
		}
	};
	return {
		async collect() {
			pending ??= refresh().finally(() => {
				pending = undefined;
			});
			await pending;
			return registry.metrics();
		},
	};
}

type Gauges = ReturnType<typeof gaugesOf>;

function gaugesOf(registry: Registry) {
	const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
		new Gauge({
			name,
			help: `${help} (from the database, the same in every process, up to ${KEPT_MS / 1000} s old)`,
			labelNames,
			registers: [registry],
		});
	return {
		isUp: gauge("fota_database_up", "1 while these numbers can be read"),
		devices: gauge("fota_devices", "Registered devices"),
		legacy: gauge("fota_legacy_devices", "Devices that last came without a MAC"),
		versions: gauge(
			"fota_devices_by_version",
			`Devices by the version they reported, the ${VERSIONS_MAX} most frequent ones`,
			["device_type", "version"],
		),
		updates: gauge("fota_updates", "Updates in the history, open and finished", ["status"]),
		rollouts: gauge("fota_rollouts", "Rollouts", ["state"]),
		waiting: gauge("fota_webhook_deliveries_waiting", "Deliveries to webhooks that wait"),
	};
}

function show(gauges: Gauges, census: FleetCensus): void {
	for (const gauge of Object.values(gauges)) gauge.reset();
	gauges.isUp.set(1);
	gauges.devices.set(census.deviceCount);
	gauges.legacy.set(census.legacyCount);
	gauges.waiting.set(census.waitingDeliveryCount);
	for (const { status, count } of census.updates) gauges.updates.set({ status }, count);
	for (const { state, count } of census.rollouts) gauges.rollouts.set({ state }, count);
	for (const { deviceType, version, count } of census.versions)
		gauges.versions.set({ device_type: deviceType, version }, count);
}
