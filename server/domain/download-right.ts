// Which images a device may read: those of its own type, chip and channel that are active. A device cannot be made to
// read another product's firmware. Pure; called by the chunk route and the download route.
import { type Channel, channelsFor } from "./release-channel.js";

export interface ReadingDevice {
	readonly device_type: string;
	readonly chip: string | null;
	readonly channel: string;
	/** A release whose download is to end. */
	readonly withheld_release_id: number | null;
}

export interface ReadableRelease {
	readonly id: number;
	readonly device_type: string;
	readonly chip: string;
	readonly channel: Channel;
	readonly is_active: number;
}

export function mayDownload(device: ReadingDevice, release: ReadableRelease): boolean {
	return (
		release.is_active === 1 &&
		release.device_type === device.device_type &&
		(device.chip === null || device.chip === release.chip) &&
		channelsFor(device.channel).includes(release.channel) &&
		device.withheld_release_id !== release.id
	);
}
