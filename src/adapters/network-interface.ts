// The way into a network as network.ts sees it: Wi-Fi or Ethernet. Implemented by interface.ts and
// interface-ethernet.ts, one of which an image holds. Types only.

import type { WifiSettings } from "../protocol/surroundings.js";

/** What ECMA-419 calls `connection`. */
export const Connection = {
	/** Neither connected nor trying. */
	Off: 200,
	Connecting: 300,
	/** Associated, or a cable with a link; not all addresses yet. */
	Linked: 400,
	Ready: 500,
} as const;

/** Every call may throw what the driver throws. */
export interface NetworkInterface {
	/** One attempt; what comes of it shows in `connection`. */
	connect(): void;
	/** Gives a connection or an attempt up. */
	disconnect(): void;
	/** Idempotent. `onChanged` is not called any more. */
	close(): void;
	/** A value of {@link Connection}. */
	connection(): number;
	/** In digits; of IPv4 where there is one. */
	address(): string | undefined;
	/** Signal strength of the access point in dBm; undefined without one. */
	rssiDbm(): number | undefined;
}

export interface InterfaceOptions {
	/** Wi-Fi to join; Ethernet needs none. */
	readonly wifi: WifiSettings | undefined;
	/** The device's name, for DHCP. */
	readonly hostname: string;
	/** Something about the interface has changed. Called from native code: must not throw. */
	readonly onChanged: () => void;
}

/** Throws where the driver cannot start, or is not told what to join; worth another try. */
export type OpenInterface = (options: InterfaceOptions) => NetworkInterface;
