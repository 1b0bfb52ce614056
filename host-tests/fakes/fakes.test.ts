// The fakes that stand for the device's ports in host-tests/update keep the contracts of the ports.

import { LOG_TEXT_MAX_CHARS } from "../../src/adapters/serial-log.js";
import { STATE_MAX_BYTES } from "../../src/protocol/limits.js";
import { parseSignedStatement } from "../../src/protocol/release-statement.js";
import { cloudContract } from "../contracts/cloud.js";
import {
	type CloudServer,
	CONTRACT_CHUNK_BYTES,
	CONTRACT_DEVICE,
	CONTRACT_IMAGE_BYTES,
} from "../contracts/cloud-calls.js";
import { cryptoContract } from "../contracts/crypto.js";
import { logContract } from "../contracts/log.js";
import { describeContract } from "../contracts/on-node.js";
import { randomContract } from "../contracts/random.js";
import { slotsContract } from "../contracts/slots.js";
import { stateStoreContract } from "../contracts/state-store.js";
import { timeContract } from "../contracts/time.js";
import { FakeCloud, FakeServer } from "./fake-cloud.js";
import { chunkMac, FakeCrypto } from "./fake-crypto.js";
import { type FakeRelease, fakeImage, fakeJws, fakeRelease } from "./fake-image.js";
import { ManualTime } from "./manual-time.js";
import { NorSlots } from "./nor-slots.js";
import { Power } from "./power.js";
import { PoweredStore } from "./powered-store.js";
import { RecordingLog } from "./recording-log.js";
import { seededRandom } from "./seeded-random.js";

const IMAGE_BYTES = 20_480;

describeContract("NorSlots", slotsContract, () => {
	const slots = new NorSlots({ power: new Power(), sizeBytes: 16 * 4096, onRestart: () => undefined });
	slots.flash(fakeImage({ version: "1.0.0", sizeBytes: IMAGE_BYTES }));
	const subject = { slots, image: fakeImage({ version: "1.1.0", sizeBytes: IMAGE_BYTES }) };
	slots.boot();
	const restart = () => {
		slots.boot();
		return subject;
	};
	return { subject, restart };
});

describeContract("PoweredStore", stateStoreContract, () => {
	const store = new PoweredStore(new Power());
	const subject = { store, maxChars: STATE_MAX_BYTES };
	return { subject, restart: () => subject };
});

describeContract("FakeCrypto", cryptoContract, () => {
	const { statement } = fakeRelease({ version: "1.1.0" });
	return {
		subject: {
			crypto: new FakeCrypto(),
			trusted: parseSignedStatement(fakeJws(statement)),
			untrusted: [parseSignedStatement(fakeJws(statement, 2))],
			images: { one: "11".repeat(32), other: "22".repeat(32) },
			mac: chunkMac,
		},
	};
});

describeContract("ManualTime", timeContract, () => {
	const time = new ManualTime();
	const sleep = async (durationMs: number) => time.advance(durationMs);
	return { subject: { timer: time, clock: time, sleep, caughtCount: () => time.escaped.length } };
});

describeContract("the seeded random", randomContract, () => ({ subject: { random: seededRandom(1) } }));

/** What the operator and the world do to a fake server. */
function worldOf(server: FakeServer, release: FakeRelease): CloudServer {
	const { fault, tamper } = server;
	return {
		offer: async () => {
			server.release = release;
		},
		order: async (reason) => {
			server.order = { orderId: 3, reason };
			return 3;
		},
		lastResetReason: async () => server.reports.at(-1)?.resetReason ?? null,
		goAway: async (afterBytes) => {
			let leftBytes = afterBytes;
			server.fault = () => (leftBytes > 0 ? undefined : "network-unavailable");
			server.tamper = (_chunk, frame) => {
				leftBytes -= frame.length;
				return leftBytes > 0 ? frame : undefined;
			};
		},
		comeBack: async () => void Object.assign(server, { fault, tamper }),
	};
}

describeContract("FakeCloud", cloudContract, () => {
	const [time, server] = [new ManualTime(), new FakeServer()];
	server.pieceBytes = 100; // so that a stream takes longer than an answer
	const offered = fakeRelease({ version: "1.1.0", sizeBytes: CONTRACT_IMAGE_BYTES, ...CONTRACT_DEVICE });
	const { image, statement } = offered;
	const { version, hash } = statement;
	const mac = (number: number) => {
		const start = number * CONTRACT_CHUNK_BYTES;
		return chunkMac(hash, number, image.subarray(start, start + CONTRACT_CHUNK_BYTES));
	};
	const subject = {
		cloud: new FakeCloud(server, time),
		sleep: async (durationMs: number) => time.advance(durationMs),
		server: worldOf(server, offered),
		release: { version, hash, image, statement: fakeJws(statement), mac },
	};
	return { subject };
});

describeContract("RecordingLog", logContract, () => {
	const log = new RecordingLog();
	return { subject: { log, lines: () => log.lines, textMaxChars: LOG_TEXT_MAX_CHARS } };
});
