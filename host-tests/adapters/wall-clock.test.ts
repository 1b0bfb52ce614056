// The time of day for the log: asked, believed only from the one who was asked, asked again.
import { beforeEach, expect, test } from "vitest";
import { SerialLog } from "../../src/adapters/serial-log.js";
import { WallClock } from "../../src/adapters/wall-clock.js";
import { ManualTime } from "../fakes/manual-time.js";
import { RecordingLog } from "../fakes/recording-log.js";
import { seededRandom } from "../fakes/seeded-random.js";
import { FakeUdpNetwork } from "./fake-udp.js";

const UNIX = Date.UTC(2026, 0, 31, 12, 0, 0) / 1000;
const SERVER = "192.0.2.123";

let time: ManualTime;
let udp: FakeUdpNetwork;
let log: RecordingLog;
let known: number[];
let address: string | undefined;
let clock: WallClock;

beforeEach(() => {
	time = new ManualTime();
	udp = new FakeUdpNetwork();
	log = new RecordingLog();
	known = [];
	address = SERVER;
	clock = new WallClock({
		io: udp.io,
		host: "time.example",
		resolver: {
			resolve: (_name, done) => {
				const id = time.set(() => done(address), 10);
				return () => time.clear(id);
			},
		},
		clock: time,
		timer: time,
		random: seededRandom(1),
		log,
		onTime: (unixAtStartMs) => known.push(unixAtStartMs),
	});
});

/** An answer to the last question. */
function answer(unix = UNIX): Buffer {
	const question = udp.sent.at(-1)?.bytes;
	const bytes = Buffer.alloc(48);
	bytes.set([0x24, 1]);
	question?.copy(bytes, 24, 40, 48);
	bytes.writeUInt32BE(unix + 2_208_988_800, 40);
	return bytes;
}

test("the time is known once the server has answered, half of the way back included", () => {
	clock.networkUp();
	time.advance(10);
	expect(udp.sent).toMatchObject([{ address: SERVER, port: 123 }]);
	time.advance(100);
	udp.last.deliver(SERVER, 123, answer());
	expect(known).toEqual([UNIX * 1000 + 50 - 110]);
	expect(udp.last.isClosed).toBe(true);
});

test("an answer from elsewhere, or to no question, changes nothing", () => {
	clock.networkUp();
	time.advance(10);
	udp.last.deliver("192.0.2.9", 123, answer());
	udp.last.deliver(SERVER, 124, answer());
	udp.last.deliver(SERVER, 123, Buffer.alloc(48), Buffer.alloc(0), Buffer.alloc(1472, 0xff));
	time.advance(1);
	expect(known).toEqual([]);
	udp.last.deliver(SERVER, 123, answer());
	expect(known).toHaveLength(1);
	expect(udp.escaped).toEqual([]);
});

test("a server that is silent, or has no address, is asked less and less often and named once", () => {
	clock.networkUp();
	time.advance(3_600_000);
	const count = udp.sent.length;
	expect(count).toBeGreaterThan(4);
	expect(count).toBeLessThan(12);
	address = undefined;
	time.advance(86_400_000);
	expect(udp.sent.length).toBe(count);
	expect(log.lines).toEqual(["warn: time server time.example: no answer"]);
	expect(time.pendingCount).toBe(1);
});

test("it is asked again a day later, not at each return of the network", () => {
	clock.networkUp();
	time.advance(10);
	udp.last.deliver(SERVER, 123, answer());
	clock.networkDown();
	time.advance(60_000);
	clock.networkUp();
	time.advance(86_400_000 - 60_001);
	expect(udp.sent).toHaveLength(1);
	time.advance(11);
	expect(udp.sent).toHaveLength(2);
});

test("it is asked at once by a network that returns after the day is over", () => {
	clock.networkUp();
	time.advance(10);
	udp.last.deliver(SERVER, 123, answer());
	clock.networkDown();
	time.advance(86_400_000);
	expect(udp.sent).toHaveLength(1);
	clock.networkUp();
	time.advance(10);
	expect(udp.sent).toHaveLength(2);
});

test("without a network nothing is asked, and nothing waits", () => {
	clock.networkUp();
	clock.networkDown();
	expect(time.pendingCount).toBe(0);
	udp.openFault = new Error("no network");
	clock.networkUp();
	time.advance(100);
	expect(log.lines).toEqual(["warn: time server time.example: no network"]);
});

test("lines of the log show the time of day once it is known", () => {
	const lines: string[] = [];
	const serial = new SerialLog({ system: { print: (text) => void lines.push(text) }, clock: time });
	time.advance(1500);
	serial.write("info", "before");
	serial.setTime(UNIX * 1000);
	serial.write("warn", "after");
	expect(lines).toEqual(["I (1500) fota: before", "W (1500) 2026-01-31T12:00:01Z fota: after"]);
});
