// The contract of Cloud, kept by HttpCloud as main.ts builds it: on XS, over the simulator's sockets, against a real
// server. The link is slow in the simulator's own time, so a stream takes longer than an answer on every machine.
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { cloudContract } from "../contracts/cloud.js";
import { CONTRACT_DEVICE, CONTRACT_IMAGE_BYTES } from "../contracts/cloud-calls.js";
import { CloudWorld, DEVICE_ID, DEVICE_KEY, RELEASE } from "./cloud-world.js";
import { describeOnXs } from "./on-xs.js";

const IMPORTS = `
	import keyValue from "embedded:storage/key-value";
	import Timer from "timer";
	import { HttpCloud } from "src/adapters/cloud";
	import { DeviceCredential } from "src/adapters/device-credential";
	import { ANSWER_HEADER_NAMES } from "src/adapters/exchange";
	import { Nonces } from "src/adapters/nonces";
	import { CryptoRandom } from "src/adapters/random";
	import { TcpHttpClient } from "src/adapters/tcp-http-client";
	import { KeyValueTexts } from "src/adapters/text-storage";
	import { GuardedTimer } from "src/adapters/timer";
	import { FotaCrypto, HmacSha256, Sha256 } from "src/native/fota-crypto";
	import { FotaSockets } from "src/native/fota-sockets";
	import { hexDecode } from "src/protocol/encoding";`;

/** As openCloud() of main.ts. */
const openCloud = (port: number) => `
	const bytes = (hex) => hexDecode(hex, hex.length / 2);
	const log = { write: (level, text) => { throw new Error("logged: " + text); } };
	function openHttp(options) {
		const stack = { sockets: new FotaSockets() };
		const server = { address: "127.0.0.1", port: ${port} };
		const onUncaught = (cause) => log.write("error", cause.message);
		const headerNames = ANSWER_HEADER_NAMES;
		return new TcpHttpClient({ ...options, stack, server, timer: Timer, host: "127.0.0.1:${port}", headerNames, onUncaught });
	}
	function openCloud() {
		const native = { functions: new FotaCrypto(), Sha256, HmacSha256 };
		const storage = new KeyValueTexts({ module: keyValue, path: "fota" });
		const nonces = new Nonces({ storage, random: new CryptoRandom(native.functions), log });
		const identity = { deviceId: "${DEVICE_ID}", deviceKey: bytes("${DEVICE_KEY.toString("hex")}") };
		return new HttpCloud({
			openTalk: () => openHttp({}),
			openReports: () => openHttp({ receiveBytes: 536 }),
			credential: new DeviceCredential({ native, ...identity, nonces }),
			timer: new GuardedTimer({ timer: Timer, log }),
			...${JSON.stringify(CONTRACT_DEVICE)},
		});
	}`;

/** Asks the world for something to happen there, over a connection of its own. */
const tell = (port: number) => `
	function tell(path) {
		const server = { address: "127.0.0.1", port: ${port} };
		const http = new TcpHttpClient({ stack: { sockets: new FotaSockets() }, server, timer: Timer, host: "switchboard" });
		let text = "";
		return new Promise((resolve, reject) => http.request({
			method: "GET",
			path,
			maxBodyBytes: 1000,
			connectTimeoutMs: 10_000,
			idleTimeoutMs: 15_000,
			totalTimeoutMs: 60_000,
			onBody: (buffer, offset, byteCount) => {
				for (let i = 0; i < byteCount; i++) text += String.fromCharCode(buffer[offset + i]);
				return true;
			},
			onDone: (failure) => {
				http.close();
				const { value, error } = failure === undefined ? JSON.parse(text) : { error: failure.code };
				if (error === undefined) resolve(value);
				else reject(new Error("switchboard: " + error));
			},
		}));
	}`;

const OPEN = `
	function open() {
		const release = ${JSON.stringify(RELEASE)};
		const { version, hash, statement, macsHex, imageHex } = release;
		const image = new Uint8Array(${CONTRACT_IMAGE_BYTES});
		imageHex.split(" ").forEach((piece, index) => image.set(bytes(piece), 32 * index));
		return {
			cloud: openCloud(),
			sleep: (durationMs) => new Promise((resolve) => { Timer.set(() => resolve(), durationMs); }),
			server: {
				offer: () => tell("/offer"),
				order: (reason) => tell("/order?reason=" + encodeURIComponent(reason)),
				lastResetReason: () => tell("/last-reset-reason"),
				goAway: (afterBytes) => tell("/go-away?after=" + afterBytes),
				comeBack: () => tell("/come-back"),
			},
			release: { version, hash, statement, image, mac: (number) => bytes(macsHex[number]) },
		};
	}`;

describe("against a real server", () => {
	let world: CloudWorld;
	beforeAll(async () => {
		world = await CloudWorld.open();
	});
	beforeEach(() => world.renew());
	afterAll(() => world.close());

	describeOnXs("HttpCloud over the sockets of the simulator", {
		contract: cloudContract,
		module: "cloud",
		name: "cloudContract",
		imports: [...IMPORTS.matchAll(/"(src\/[^"]+)"/g)].map(([, name]) => name ?? ""),
		open: () => [IMPORTS, openCloud(world.port), tell(world.switchboardPort), OPEN].join("\n"),
		simulatorOptions: ["--link-rate", "20000", "--link-rtt", "20"],
	});
});
