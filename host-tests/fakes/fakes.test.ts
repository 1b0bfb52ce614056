// The fakes that stand for the device's ports in host-tests/update keep the contracts of the ports.

import { STATE_MAX_CHARS } from "../../src/adapters/state-store.js";
import { parseSignedStatement } from "../../src/protocol/release-statement.js";
import { cryptoContract } from "../contracts/crypto.js";
import { describeContract } from "../contracts/on-node.js";
import { randomContract } from "../contracts/random.js";
import { slotsContract } from "../contracts/slots.js";
import { stateStoreContract } from "../contracts/state-store.js";
import { timeContract } from "../contracts/time.js";
import { chunkMac, FakeCrypto } from "./fake-crypto.js";
import { fakeImage, fakeJws, fakeRelease } from "./fake-image.js";
import { ManualTime } from "./manual-time.js";
import { NorSlots } from "./nor-slots.js";
import { Power } from "./power.js";
import { PoweredStore } from "./powered-store.js";
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
	const subject = { store, maxChars: STATE_MAX_CHARS };
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
