// Whether the application is at something that an update must not disturb. Asked by the poller, the push intake and the
// supervisor, before a download and before a restart. A fault in the answer must not keep a device from being mended.
import { toFotaError } from "./fault.js";
import type { Ports } from "./ports.js";

export function isApplicationBusy({ isBusy, log }: Pick<Ports, "isBusy" | "log">): boolean {
	try {
		return isBusy?.() === true;
	} catch (cause) {
		log.write("error", `the application cannot say whether it is busy: ${toFotaError(cause).message}`);
		return false;
	}
}
