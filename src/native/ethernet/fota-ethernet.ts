/*
 * The wired network interface: ESP-IDF's Ethernet driver, its address by DHCP. In images for wired boards and for the
 * emulator only; the simulator has no C behind it and never loads it. Called by the adapters. It must not know when to
 * connect.
 */

export interface FotaEthernetOptions {
	/** From the event loop, with what has changed: "connection" or "address". */
	readonly onChanged: (property: string) => void;
}

/** An object a device: the driver is started once and stays. */
export class FotaEthernet extends Native("xs_fota_ethernet_destructor") {
	/** Throws Error with ESP-IDF's name for what went wrong. */
	constructor(options: FotaEthernetOptions) {
		super();
		native("xs_fota_ethernet").call(this, options);
	}

	/** Starts the port. Link and address come later, or never: without a cable. Throws what ESP-IDF refuses. */
	connect(): void {
		native("xs_fota_ethernet_connect").call(this);
	}

	/** Stops the port. */
	disconnect(): void {
		native("xs_fota_ethernet_disconnect").call(this);
	}

	/** Idempotent. `onChanged` is not called any more. */
	close(): void {
		native("xs_fota_ethernet_close").call(this);
	}

	/** 200 stopped, 300 started without a link, 400 with a link, 500 with an IPv4 address. */
	connection(): number {
		return native("xs_fota_ethernet_connection").call(this);
	}

	/** IPv4 in digits; undefined while there is none. */
	address(): string | undefined {
		return native("xs_fota_ethernet_address").call(this);
	}

	/** Such as `24:6f:28:00:00:01`. */
	mac(): string {
		return native("xs_fota_ethernet_mac").call(this);
	}
}
