// The contracts of the ports, kept by the adapters that ship: on XS, over the natives, in the simulator.
import { createHmac, generateKeyPairSync, hkdfSync, sign } from "node:crypto";
import { expect } from "vitest";
import { STATE_MAX_BYTES } from "../../src/protocol/limits.js";
import { CONTRACT_CHUNK, CONTRACT_CHUNK_NUMBERS, cryptoContract } from "../contracts/crypto.js";
import { logContract } from "../contracts/log.js";
import { randomContract } from "../contracts/random.js";
import { slotsContract } from "../contracts/slots.js";
import { stateStoreContract } from "../contracts/state-store.js";
import { timeContract } from "../contracts/time.js";
import { describeOnXs } from "./on-xs.js";

describeOnXs("FlashSlots over the flash of the simulator", {
	contract: slotsContract,
	module: "slots",
	name: "slotsContract",
	imports: ["src/adapters/slots", "src/native/fota-crypto"],
	// The image to install is the running one with another version: patched, its checksum and its hash made anew.
	open: () => `
		import { FlashSlots } from "src/adapters/slots";
		import { Sha256 } from "src/native/fota-crypto";
		function image(flash) {
			const running = flash.running();
			const bytes = new Uint8Array(flash.verify(running));
			flash.read(running, 0, bytes, 0, bytes.length);
			const hashAt = bytes.length - 32, minorAt = 50;
			bytes[hashAt - 1] ^= bytes[minorAt] ^ 0x31;
			bytes[minorAt] = 0x31;
			const sha = new Sha256();
			sha.update(bytes, 0, hashAt);
			sha.digest(bytes, hashAt);
			sha.close();
			return bytes;
		}
		function open() {
			const flash = new FotaFlash();
			return { slots: new FlashSlots({ flash, rollbackTo: "previous" }), image: image(flash) };
		}`,
});

describeOnXs("TextStateStore over the storage of the simulator", {
	contract: stateStoreContract,
	module: "state-store",
	name: "stateStoreContract",
	imports: ["src/adapters/state-store", "src/adapters/text-storage"],
	open: () => `
		import module from "embedded:storage/key-value";
		import { TextStateStore } from "src/adapters/state-store";
		import { KeyValueTexts } from "src/adapters/text-storage";
		function open() {
			const storage = new KeyValueTexts({ module, path: "fota" });
			const log = { write: (level, text) => { throw new Error(text); } };
			return { store: new TextStateStore({ storage, log }), maxChars: ${STATE_MAX_BYTES} };
		}`,
});

describeOnXs("GuardedTimer and SystemClock over the timer of the simulator", {
	contract: timeContract,
	module: "time",
	name: "timeContract",
	imports: ["src/adapters/timer", "src/adapters/clock", "src/native/fota-system"],
	open: () => `
		import Timer from "timer";
		import { SystemClock } from "src/adapters/clock";
		import { GuardedTimer } from "src/adapters/timer";
		import { FotaSystem } from "src/native/fota-system";
		function open() {
			let caughtCount = 0;
			const log = { write: () => { caughtCount += 1; } };
			return {
				timer: new GuardedTimer({ timer: Timer, log }),
				clock: new SystemClock(new FotaSystem()),
				sleep: (durationMs) => new Promise((resolve) => { Timer.set(() => resolve(), durationMs); }),
				caughtCount: () => caughtCount,
			};
		}`,
});

describeOnXs("CryptoRandom over the generator of the simulator", {
	contract: randomContract,
	module: "random",
	name: "randomContract",
	imports: ["src/adapters/random", "src/native/fota-crypto"],
	open: () => `
		import { CryptoRandom } from "src/adapters/random";
		import { FotaCrypto } from "src/native/fota-crypto";
		function open() { return { random: new CryptoRandom(new FotaCrypto()) }; }`,
});

describeOnXs("SerialLog over the serial port of the simulator", {
	contract: logContract,
	module: "log",
	name: "logContract",
	imports: ["src/adapters/serial-log", "src/adapters/clock", "src/native/fota-system"],
	open: () => `
		import { SystemClock } from "src/adapters/clock";
		import { LOG_TEXT_MAX_CHARS, SerialLog } from "src/adapters/serial-log";
		import { FotaSystem } from "src/native/fota-system";
		function open() {
			const system = new FotaSystem();
			let port = "";
			const print = (text) => { system.print(text); port += text + "\\n"; };
			return {
				log: new SerialLog({ system: { print }, clock: new SystemClock(system) }),
				lines: () => port.split("\\n").slice(0, -1),
				textMaxChars: LOG_TEXT_MAX_CHARS,
			};
		}`,
	// What came out of the port, beside what was given to it: a line of the log, of the chip, or the result.
	checkSerial: (serial) => {
		const lines = serial.split("\n").slice(0, -1);
		const logged = lines.filter((line) => !/^(\[(rom|boot|cpu)\]|\| )/.test(line));
		expect(logged.length).toBeGreaterThan(0);
		expect(logged.filter((line) => !/^[IWE] \([0-9]+\) fota: /.test(line))).toEqual([]);
	},
});

const DEVICE_KEY = Buffer.alloc(32, 9);
const IMAGES = { one: "11".repeat(32), other: "22".repeat(32) };

/** From docs/protocol.md §3.1 and §6, by Node: the device is not compared with itself. */
function macsOf(image: string): [string, string][] {
	const info = Buffer.concat([Buffer.from("chunk"), Buffer.from(image, "hex")]);
	const key = Buffer.from(hkdfSync("sha256", DEVICE_KEY, "fota derived key 1", info, 32));
	return CONTRACT_CHUNK_NUMBERS.map((number) => {
		const prefix = Buffer.alloc(8);
		prefix.writeUInt32BE(number, 0);
		prefix.writeUInt32BE(CONTRACT_CHUNK.length, 4);
		const mac = createHmac("sha256", key).update(prefix).update(CONTRACT_CHUNK);
		return [`${image} ${number}`, mac.digest("hex")];
	});
}

/** A release key as its point, and what it says of "header.payload". */
function signer(): { readonly point: string; readonly signature: string } {
	const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const { x = "", y = "" } = publicKey.export({ format: "jwk" });
	const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
	const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
	return {
		point: point.toString("hex"),
		signature: sign("sha256", Buffer.from("header.payload"), key).toString("hex"),
	};
}

const [trusted, second, stranger] = [signer(), signer(), signer()];

describeOnXs("NativeCryptoPort over PSA", {
	contract: cryptoContract,
	module: "crypto",
	name: "cryptoContract",
	imports: [
		"src/adapters/crypto",
		"src/native/fota-crypto",
		"src/protocol/encoding",
		"src/protocol/release-statement",
	],
	open: () => `
		import { NativeCryptoPort } from "src/adapters/crypto";
		import { FotaCrypto, HmacSha256, Sha256 } from "src/native/fota-crypto";
		import { utf8Encode, hexDecode } from "src/protocol/encoding";
		import { keyIdOf } from "src/protocol/release-statement";
		const MACS = new Map(${JSON.stringify(Object.values(IMAGES).flatMap(macsOf))});
		const bytes = (hex) => hexDecode(hex, hex.length / 2);
		function keyId(point) {
			const sha = new Sha256(), digest = new Uint8Array(32);
			sha.update(point, 0, point.length);
			sha.digest(digest, 0);
			return keyIdOf(digest);
		}
		const signed = (point, signature, text) =>
			({ keyId: keyId(bytes(point)), signingInput: utf8Encode(text), signature: bytes(signature), statement: {} });
		function open() {
			const native = { functions: new FotaCrypto(), Sha256, HmacSha256 };
			const releaseKeys = ["${trusted.point}", "${second.point}"].map(bytes);
			const { point, signature } = ${JSON.stringify(trusted)};
			return {
				crypto: new NativeCryptoPort({ native, deviceKey: new Uint8Array(32).fill(9), releaseKeys }),
				trusted: signed(point, signature, "header.payload"),
				untrusted: [
					signed("${stranger.point}", "${stranger.signature}", "header.payload"),
					signed(point, "${stranger.signature}", "header.payload"),
					signed("${second.point}", signature, "header.payload"),
					signed(point, signature, "header.pAyload"),
				],
				images: ${JSON.stringify(IMAGES)},
				mac: (image, number) => bytes(MACS.get(image + " " + number)),
			};
		}`,
});
