// Which devices may have which releases: a device on the channel "beta" may have all, one on "stable" only what is
// stable. Pure.
import { FotaError } from "../../src/protocol/error-codes.js";

export const CHANNELS = ["stable", "beta"] as const;
export type Channel = (typeof CHANNELS)[number];

/** Of the releases that a device on this channel may have. */
export function channelsFor(deviceChannel: string): readonly Channel[] {
	return deviceChannel === "beta" ? CHANNELS : ["stable"];
}

/** Both ways to say it; system B's programs know `is_stable` only. Undefined: neither is said. */
export interface ChannelWords {
	readonly channel?: Channel | undefined;
	readonly is_stable?: boolean | undefined;
}

/** Throws `request-malformed` where the two contradict each other. */
export function channelOf({ channel, is_stable: isStable }: ChannelWords): Channel | undefined {
	if (isStable === undefined) return channel;
	const said = isStable ? "stable" : "beta";
	if (channel !== undefined && channel !== said)
		throw new FotaError("request-malformed", "channel and is_stable contradict each other");
	return said;
}
