// The part of Moddable's Wi-Fi station that is used, as the SDK's ESP32 implementation behaves.
// Source: Moddable SDK 8.2.3, modules/io/wifi/esp32/wifi-esp32.{js,c}.

declare module "embedded:network/interface/wifi" {
	export interface WiFiOptions {
		/** From the event loop; "connection" before "address" where both have changed. */
		readonly onChanged?: (property: "connection" | "address") => void;
	}

	export interface WiFiConnectOptions {
		/** At most 32 bytes of UTF-8. */
		readonly SSID: string;
		/** Absent for an open network: the text "undefined" is sent for a property that is there without a value. */
		readonly password?: string;
	}

	export default class WiFi {
		/** Starts the radio at its first use. May find itself connected already. */
		constructor(options: WiFiOptions);
		/** Throws "already connecting" between a connect and its outcome, "connect failed" where ESP-IDF refuses. */
		connect(options: WiFiConnectOptions): void;
		/** `connection` is 200 at once, without a call of onChanged; the radio leaves some time later. */
		disconnect(): void;
		/** Name for DHCP. Throws where ESP-IDF refuses. */
		configure(options: { readonly hostname: string }): void;
		/** Idempotent. No callback follows; the radio stays as it is. */
		close(): void;
		/** 200 not connected, 300 connecting, 400 associated, 500 with addresses of IPv4 and IPv6. */
		readonly connection: number;
		/** IPv4, else link-local IPv6, else undefined. */
		readonly address: string | undefined;
		/** Of the access point, in dBm; undefined while there is none. */
		readonly RSSI: number | undefined;
	}
}
