// What the device does in the local network besides updating itself: its name by multicast DNS, its LED, the time of day
// in its log. On the real simulator, over loopback.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { CHUNK_PATH } from "../../src/protocol/chunk-frames.js";
import { Rig, type TestDevice } from "../support/rig.js";
import { dnsAddress, dnsName, dnsQuery, UdpPeer, u16 } from "../support/udp-peer.js";

const PTR = 12;
const AAAA = 28;

/** A device in real time, once it has its name; the port of the host at which its mDNS answers. */
async function named(device: TestDevice, args: readonly string[] = []) {
	const running = await device.start({ isFast: false, args });
	const line = await running.waitForLine("sim: udp 5353 is 127.0.0.1:");
	const port = Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
	return { running, port };
}

async function answerTo(peer: UdpPeer, query: Buffer, port: number): Promise<Buffer> {
	const before = peer.received.length;
	peer.send(query, port);
	await expect.poll(() => peer.received.length).toBeGreaterThan(before);
	return peer.received[before]?.bytes ?? Buffer.alloc(0);
}

describe("a device in its local network", () => {
	test("is found by its name and its services, also after hostile datagrams", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ surroundings: { hostname: "boiler" } });
		const { running, port } = await named(device);
		await running.waitForLine("mdns: known as boiler.local");
		const peer = await UdpPeer.open();

		const services = await answerTo(peer, dnsQuery({ id: 7, name: "_ota._tcp.local", type: PTR }), port);
		expect(services.readUInt16BE(0)).toBe(7);
		expect(services.includes(dnsName("boiler._ota._tcp.local"))).toBe(true);
		for (const text of ["version=1.0.0", "device_type=sensor", "chip=esp32"])
			expect(services.includes(text)).toBe(true);
		expect(services.includes(u16(0, 0, 3232))).toBe(true);

		const host = await answerTo(peer, dnsQuery({ name: "BOILER.local", type: 1 }), port);
		expect(host.subarray(-4)).toEqual(Buffer.from([127, 0, 0, 1]));
		const none = await answerTo(peer, dnsQuery({ name: "boiler.local", type: AAAA }), port);
		expect(none.includes(Buffer.concat([dnsName("boiler.local"), Buffer.from([0, 1, 0x40])]))).toBe(true);

		const loop = Buffer.concat([u16(0, 0, 1, 0, 0, 0), Buffer.from([0xc0, 12]), u16(1, 1)]);
		const hostile = [
			Buffer.alloc(0),
			Buffer.alloc(1472, 0xff),
			dnsQuery({ name: "", type: 255 }),
			loop,
			Buffer.concat([u16(0, 0, 65_535, 65_535, 65_535, 65_535), dnsName("a")]),
			dnsQuery({ name: "x", type: PTR }).subarray(0, 13),
		];
		for (const bytes of hostile) peer.send(bytes, port);
		await sleep(1200);
		const still = await answerTo(peer, dnsQuery({ name: "_http._tcp.local", type: PTR }), port);
		expect(still.includes(dnsName("boiler._http._tcp.local"))).toBe(true);
		const result = await running.stop();
		expect(result.stats).toMatchObject({ boots: 1 });
	});

	test("takes another name when its own is taken", async () => {
		const rig = await Rig.open();
		const rival = await UdpPeer.open();
		rival.onReceived = ({ bytes, from }) => {
			// To each probe for the name: it is mine.
			if (bytes.readUInt16BE(2) === 0 && bytes.includes(dnsName("boiler.local")))
				rival.send(dnsAddress({ name: "boiler.local", address: [10, 1, 2, 3] }), from.port);
		};
		const device = await rig.device({ surroundings: { hostname: "boiler" } });
		const { running } = await named(device, ["--udp-to", `5353=${rival.port}`]);
		await running.waitForLine("the name is taken, trying boiler-2");
		await running.waitForLine("mdns: known as boiler-2.local");
		// Announced twice, to all, as replacing what was known.
		const announcements = () =>
			rival.received.filter(
				({ bytes }) => bytes.readUInt16BE(2) === 0x8400 && bytes.includes(dnsName("boiler-2.local")),
			);
		await expect.poll(() => announcements().length).toBe(2);
		await running.stop();
	});

	test("shows the time of day of its time server, and takes it from no other", async () => {
		const rig = await Rig.open();
		const server = await UdpPeer.open();
		const unix = Date.UTC(2031, 4, 6, 7, 8, 9) / 1000;
		server.onReceived = ({ bytes, from }) => {
			const answer = Buffer.alloc(48);
			answer.set([0x24, 2]);
			answer.writeUInt32BE(unix + 2_208_988_800, 40);
			// First without what the question brought, as somebody who has not seen it.
			answer.writeUInt32BE(unix + 2_208_988_800 + 86_400, 40);
			server.send(answer, from.port);
			bytes.copy(answer, 24, 40, 48);
			answer.writeUInt32BE(unix + 2_208_988_800, 40);
			server.send(answer, from.port);
		};
		const device = await rig.device({ surroundings: { ntp: "time.example" } });
		const args = ["--resolve", "time.example=127.0.0.1", "--udp-to", `123=${server.port}`];
		const result = await device.run({ args, until: ["Z fota: "] });
		expect(result.stats?.end).toBe("until");
		expect(result.log).toMatch(/I \(\d+\) 2031-05-06T07:08:[01]\dZ fota: time of day is known/);
	});
});

/** Levels of the pin with their times, from the first boot. */
function levels(log: string): { isHigh: boolean; atMs: number }[] {
	return [...log.matchAll(/sim: pin 2 is (high|low) at (\d+) ms/g)].map(([, level, at]) => ({
		isHigh: level === "high",
		atMs: Number(at),
	}));
}

describe("an LED", () => {
	test("toggles at each 5 % of a download, then blinks slowly until the firmware is confirmed", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ surroundings: { led: { pin: 2, active: "high" } } });
		await rig.publish("1.1.0", { sizeBytes: 400 * 1024 });
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		const [download = "", rest = ""] = result.log.split("download 100 %");
		// 25 chunks: every one passes at most one step of 5 %, so 19 of the 20 steps lie before the last.
		expect(levels(download).length).toBeGreaterThan(15);
		const trial = levels(rest.split("state BOOT_VERIFICATION")[1] ?? "");
		const gaps = trial.slice(1).map(({ atMs }, index) => atMs - (trial[index]?.atMs ?? 0));
		expect(gaps.length).toBeGreaterThan(50);
		expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500);
		expect(Math.max(...gaps.slice(0, -1))).toBeLessThan(600);
	});

	test("blinks ten times rapidly when an update fails, also where the low level lights it", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy((exchange) => {
			if (!exchange.target.startsWith(CHUNK_PATH)) return undefined;
			exchange.body[100] = (exchange.body[100] ?? 0) ^ 1;
			return undefined;
		});
		const device = await rig.device({ port: proxy.port, surroundings: { led: { pin: 2, active: "low" } } });
		await rig.publish("1.1.0");
		const result = await device.run({ args: ["--max-seconds", "400"] });
		const failed = result.log.split("state FAILED")[1] ?? "";
		const alarm = levels(failed).slice(0, 20);
		expect(alarm.filter(({ isHigh }) => !isHigh)).toHaveLength(10);
		expect((alarm[19]?.atMs ?? 0) - (alarm[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(1900);
		expect((alarm[19]?.atMs ?? 0) - (alarm[0]?.atMs ?? 0)).toBeLessThan(2200);
		expect(alarm[19]?.isHigh).toBe(true);
	});

	test.each([
		{ chip: "esp32", pin: 6 },
		{ chip: "esp32", pin: 39 },
		// Modulo 32, pins of the flash.
		{ chip: "esp32c3", pin: 44 },
		{ chip: "esp32c3", pin: 48 },
	] as const)("is left out at pin $pin of an $chip, which cannot have one", async ({ chip, pin }) => {
		const rig = await Rig.open();
		const device = await rig.device({ chip, surroundings: { led: { pin, active: "high" } } });
		const result = await device.run({ until: [`no LED at pin ${pin}: `] });
		expect(result.stats).toMatchObject({ end: "until", boots: 1 });
		expect(result.log).not.toMatch(/sim: pin \d+ is/);
	});
});
