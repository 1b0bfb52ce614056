/*
 * Stand-in for Moddable's "embedded:network/interface/wifi" on the ESP32: one station, and the access point of --wifi.
 * Without --wifi the device hangs on a cable: connected from the start, as after the SDK's own setup/network. Order and
 * timing of what it says are those of wifi-esp32.c, also where they are awkward: the radio's word of a disconnect comes
 * after the call, and ends an attempt that was begun in between.
 */
import Timer from "timer";

const SCAN_MS = 2500;
const HANDSHAKE_MS = 3000;
const ADDRESS_MS = 500;
const LEAVE_MS = 100;

class WiFi {
	#onChanged;
	#isClosed = false;
	#isConnecting = false;
	#isConnected = native("xs_wifi_is_wired").call(this);
	#hasAddress = this.#isConnected;
	#timer;
	#leaveTimer;

	constructor(options) {
		const { onChanged } = options;
		if (onChanged !== undefined && typeof onChanged !== "function") throw new Error("not a function");
		this.#onChanged = onChanged;
	}

	connect(options) {
		this.#check();
		if (this.#isConnecting) throw new Error("already connecting");
		if (!("SSID" in options)) throw new Error("SSID required");
		const ssid = String(options.SSID);
		const password = "password" in options ? String(options.password) : "";
		if (native("xs_wifi_is_wired").call(this)) throw new Error("connect failed");
		this.#isConnecting = true;
		const delayMs = native("xs_wifi_delay").call(this);
		this.#later(delayMs, () => this.#found(ssid, password));
	}

	disconnect() {
		this.#check();
		this.#forget();
		this.#leaveTimer ??= Timer.set(() => {
			this.#leaveTimer = undefined;
			this.#left();
		}, LEAVE_MS);
	}

	configure(options) {
		this.#check();
		if ("hostname" in options && !/^[^\0]{1,32}$/.test(options.hostname))
			throw new Error("set hostname failed");
	}

	close() {
		if (this.#isClosed) return;
		this.#isClosed = true;
		Timer.clear(this.#timer);
		Timer.clear(this.#leaveTimer);
	}

	get connection() {
		this.#check();
		if (this.#isConnected) return this.#hasAddress ? 500 : 400;
		return this.#isConnecting ? 300 : 200;
	}

	get address() {
		this.#check();
		return this.#hasAddress ? "127.0.0.1" : undefined;
	}

	get RSSI() {
		this.#check();
		const isOnAir = this.#isConnected && !native("xs_wifi_is_wired").call(this);
		return isOnAir ? native("xs_wifi_rssi").call(this) : undefined;
	}

	#check() {
		if (this.#isClosed) throw new Error("closed");
	}

	#later(delayMs, work) {
		Timer.clear(this.#timer);
		this.#timer = Timer.set(() => {
			this.#timer = undefined;
			work();
		}, delayMs);
	}

	#found(ssid, password) {
		const verdict = native("xs_wifi_offer").call(this, ssid, password);
		if (verdict === "joined") this.#joined();
		else this.#later(verdict === "absent" ? SCAN_MS : HANDSHAKE_MS, () => this.#left());
	}

	#joined() {
		this.#isConnecting = false;
		this.#isConnected = true;
		this.#later(ADDRESS_MS, () => this.#look());
		this.#tell("connection");
	}

	/** At every moment in which the access point or its DHCP may come or go. */
	#look() {
		if (!native("xs_wifi_is_there").call(this)) return this.#left();
		const nextMs = native("xs_wifi_next_change").call(this);
		if (nextMs > 0) this.#later(nextMs, () => this.#look());
		if (this.#hasAddress || !native("xs_wifi_has_dhcp").call(this)) return;
		this.#hasAddress = true;
		native("xs_wifi_set_up").call(this, true);
		this.#tell("connection");
		if (!this.#isClosed) this.#tell("address");
	}

	#left() {
		const hasChanged = this.#isConnecting || this.#isConnected;
		this.#forget();
		if (hasChanged) this.#tell("connection");
	}

	#forget() {
		Timer.clear(this.#timer);
		this.#timer = undefined;
		this.#isConnecting = false;
		this.#isConnected = false;
		this.#hasAddress = false;
		native("xs_wifi_set_up").call(this, false);
	}

	#tell(property) {
		this.#onChanged?.(property);
	}
}

export default WiFi;
