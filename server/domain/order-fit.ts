// Whether a rollback order still means the firmware that a device runs. Pure; called by stores/rollback-order-store.ts.

/** Null where it is not known: that fits anything. */
export interface Firmware {
	readonly version: string | null;
	/** SHA-256 of the image, hex. */
	readonly hash: string | null;
}

/** A device that went on to another firmware must not be sent back from that one. */
export function isToBeLeft(order: Firmware, running: Firmware): boolean {
	return isSame(order.version, running.version) && isSame(order.hash, running.hash);
}

function isSame(a: string | null, b: string | null): boolean {
	return a === null || b === null || a === b;
}
