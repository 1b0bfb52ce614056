// The network interface of a board with Wi-Fi, over Moddable's. Opened by main; images for wired boards hold
// interface-ethernet.ts under this module's name. It must not know when to connect, nor log anything: the password
// passes through here.

import WiFi from "embedded:network/interface/wifi";
import { Connection, type InterfaceOptions, type NetworkInterface } from "./network-interface.js";

/** ESP_NETIF_HOSTNAME_MAX_SIZE of ESP-IDF. */
const DHCP_NAME_MAX_CHARS = 32;

export function openInterface(options: InterfaceOptions): NetworkInterface {
	return new WifiInterface(options);
}

class WifiInterface implements NetworkInterface {
	readonly #options: InterfaceOptions;
	readonly #wifi: WiFi;

	constructor(options: InterfaceOptions) {
		this.#options = options;
		this.#wifi = new WiFi({ onChanged: () => options.onChanged() });
	}

	connect(): void {
		const { wifi, hostname } = this.#options;
		// Something else may have joined a network before us; then nothing need be known to use it.
		if (this.connection() === Connection.Ready) return;
		if (wifi === undefined)
			throw new Error("no Wi-Fi is set: provision this device with one (fota provision --wifi-ssid)");
		this.#nameSelf(hostname);
		const { ssid, password } = wifi;
		this.#wifi.connect(password === "" ? { SSID: ssid } : { SSID: ssid, password });
	}

	/** The name that DHCP shows: a convenience, so a name that ESP-IDF refuses keeps nobody off the network. */
	#nameSelf(hostname: string): void {
		try {
			this.#wifi.configure({ hostname: hostname.slice(0, DHCP_NAME_MAX_CHARS).replace(/-+$/, "") });
		} catch {
			// Without a name then.
		}
	}

	disconnect(): void {
		this.#wifi.disconnect();
	}

	close(): void {
		this.#wifi.close();
	}

	connection(): number {
		return this.#wifi.connection;
	}

	address(): string | undefined {
		return this.#wifi.address;
	}

	rssiDbm(): number | undefined {
		return this.#wifi.RSSI;
	}
}
