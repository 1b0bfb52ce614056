// Tells whoever listens how an update goes. Used by the runner and its parts. A listener's fault is its own: it ends in
// the log.
import { toFotaError } from "./fault.js";
import type { Ports, UpdateProgress } from "./ports.js";

export function tellObservers(ports: Ports, progress: UpdateProgress): void {
	for (const observer of ports.observers ?? []) {
		try {
			observer.updateMoved(progress);
		} catch (cause) {
			ports.log.write("error", `in an observer: ${toFotaError(cause).message}`);
		}
	}
}
