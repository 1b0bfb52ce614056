// Names to addresses over a native resolver that is late, silent, wrong or throwing.
import { beforeEach, describe, expect, test } from "vitest";
import { Resolver } from "../../src/adapters/resolver.js";
import { ManualTime } from "../fakes/manual-time.js";
import { RecordingLog } from "../fakes/recording-log.js";

interface Asked {
	readonly name: string;
	readonly answer: (address: string | undefined) => void;
}

let time: ManualTime;
let log: RecordingLog;
let asked: Asked[];
let hasNetwork: boolean;
let resolver: Resolver;
let answers: (string | undefined)[];
const done = (address: string | undefined) => void answers.push(address);

beforeEach(() => {
	time = new ManualTime();
	log = new RecordingLog();
	asked = [];
	answers = [];
	hasNetwork = true;
	resolver = new Resolver({
		net: {
			resolve: (name, callback) => void asked.push({ name, answer: (address) => callback(name, address) }),
		},
		timer: time,
		log,
		hasNetwork: () => hasNetwork,
	});
});

describe("a resolver", () => {
	test("asks once for all who want a name at the same time, and anew for each who comes later", () => {
		resolver.resolve("a.example", done);
		resolver.resolve("a.example", done);
		expect(asked).toHaveLength(1);
		asked[0]?.answer("192.0.2.1");
		expect(answers).toEqual(["192.0.2.1", "192.0.2.1"]);
		resolver.resolve("a.example", done);
		expect(asked).toHaveLength(2);
		time.advance(60_000);
		expect(answers).toEqual(["192.0.2.1", "192.0.2.1", undefined]);
	});

	test.each([undefined, "fe80::1", "999.1.1.1", "1.2.3", ""])("takes %s for no address", (address) => {
		resolver.resolve("a.example", done);
		asked[0]?.answer(address);
		expect(answers).toEqual([undefined]);
		expect(log.lines).toEqual(["warn: resolving a.example: no such name"]);
	});

	test("waits no longer than its time, and passes over what comes after it", () => {
		resolver.resolve("a.example", done);
		time.advance(10_000);
		expect(answers).toEqual([undefined]);
		asked[0]?.answer("192.0.2.1");
		expect(answers).toEqual([undefined]);
	});

	test("calls nobody back who has called it off", () => {
		const callOff = resolver.resolve("a.example", done);
		callOff();
		asked[0]?.answer("192.0.2.1");
		time.advance(60_000);
		expect(answers).toEqual([]);
		expect(time.pendingCount).toBe(0);
	});

	test("leaves the native resolver alone without a network, and never calls back from inside", () => {
		hasNetwork = false;
		resolver.resolve("a.example", done);
		expect(asked).toEqual([]);
		expect(answers).toEqual([]);
		time.advance(0);
		expect(answers).toEqual([undefined]);
	});

	test("asks for a few names at a time and no more, however long the native resolver is silent", () => {
		for (let i = 0; i < 100; i++) {
			resolver.resolve(`name-${i % 10}.example`, done);
			time.advance(10_000);
		}
		expect(asked.length).toBe(4);
		expect(answers).toHaveLength(100);
	});

	test("outlives a native resolver that throws, and callers that do", () => {
		const failing = new Resolver({
			net: {
				resolve: () => {
					throw new Error("out of memory");
				},
			},
			timer: time,
			log,
			hasNetwork: () => true,
		});
		failing.resolve("a.example", done);
		time.advance(0);
		expect(answers).toEqual([undefined]);
		resolver.resolve("a.example", () => {
			throw new Error("caller");
		});
		expect(() => asked[0]?.answer("192.0.2.1")).not.toThrow();
		expect(log.lines).toContain("error: after resolving: caller");
	});
});
