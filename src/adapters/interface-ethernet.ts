// The network interface of a wired board, over our own native. Takes the place of interface.ts in its images. It must
// not know when to connect.

import { FotaEthernet } from "../native/ethernet/fota-ethernet.js";
import { Connection, type InterfaceOptions, type NetworkInterface } from "./network-interface.js";

export function openInterface(options: InterfaceOptions): NetworkInterface {
	return new EthernetInterface(options);
}

class EthernetInterface implements NetworkInterface {
	readonly #ethernet: FotaEthernet;

	constructor(options: InterfaceOptions) {
		this.#ethernet = new FotaEthernet({ onChanged: () => options.onChanged() });
	}

	connect(): void {
		if (this.connection() === Connection.Off) this.#ethernet.connect();
	}

	disconnect(): void {
		this.#ethernet.disconnect();
	}

	close(): void {
		this.#ethernet.close();
	}

	connection(): number {
		return this.#ethernet.connection();
	}

	address(): string | undefined {
		return this.#ethernet.address();
	}

	rssiDbm(): undefined {
		return undefined;
	}
}
