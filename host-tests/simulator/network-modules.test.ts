// The stand-ins for Moddable's network modules: Wi-Fi, names, datagrams, pins, as the SDK's are, also where those are
// awkward.
import { describe, expect, it, onTestFinished } from "vitest";
import { UdpPeer } from "../support/udp-peer.js";
import { Device, runModules } from "./device.js";

const SAY = `const say = (...x) => trace("say " + x.join(" ") + "\\n");`;

async function said(main: string, ...options: readonly string[]): Promise<string[]> {
	const run = await runModules({ main }, "--fast", "--max-boots", "1", ...options);
	return [...run.serial.matchAll(/^say (.*)$/gm)].map(([, text = ""]) => text);
}

describe("Wi-Fi", () => {
	const JOIN = `import WiFi from "embedded:network/interface/wifi"; import Timer from "timer"; ${SAY}
		const wifi = new WiFi({ onChanged: (property) => say(property, wifi.connection, wifi.address) });
		const join = (more) => wifi.connect({ SSID: "net", ...more });`;

	it("passes from connecting to associated to an address, one word each", async () => {
		const lines = await said(
			`${JOIN} say(wifi.connection); join({ password: "12345678" }); say(wifi.connection);`,
			...["--wifi", "net:12345678", "--max-seconds", "10"],
		);
		expect(lines).toEqual([
			"200",
			"300",
			"connection 400 ",
			"connection 500 127.0.0.1",
			"address 500 127.0.0.1",
		]);
	});

	it("refuses a second connect, and ends one with a wrong password as one without an access point", async () => {
		const main = `${JOIN} join(); try { join(); } catch (error) { say(error.message); }`;
		for (const network of ["net:12345678", "other"])
			expect(await said(main, "--wifi", network, "--max-seconds", "20")).toEqual([
				"already connecting",
				"connection 200 ",
			]);
	});

	it("tells of a disconnect only later, and ends by it an attempt that was begun in between", async () => {
		const main = `${JOIN} join(); Timer.set(() => { wifi.disconnect(); say(wifi.connection); join(); say(wifi.connection); }, 3000);`;
		const lines = await said(main, "--wifi", "net", "--max-seconds", "20");
		expect(lines.slice(3)).toEqual(["200", "300", "connection 200 "]);
	});

	it("is lost with the access point", async () => {
		const main = `${JOIN} join();`;
		const lines = await said(main, "--wifi", "net", "--wifi-away", "5-100", "--max-seconds", "20");
		expect(lines.slice(3)).toEqual(["connection 200 "]);
	});

	it("has the signal strength of its access point while it has one, and none on a cable", async () => {
		const main = `${JOIN} say("signal", wifi.RSSI); Timer.set(() => say("signal", wifi.RSSI), 3000); join({});
			Timer.set(() => say("signal", wifi.RSSI), 10000);`;
		const options = ["--wifi", "net", "--wifi-rssi", "-77", "--wifi-away", "5-100", "--max-seconds", "20"];
		const lines = await said(main, ...options);
		expect(lines.filter((line) => line.startsWith("signal"))).toEqual(["signal ", "signal -77", "signal "]);
		expect(await said(`${JOIN} say(wifi.RSSI);`, "--max-seconds", "5")).toEqual([""]);
	});

	it("is there from the start on a wired device", async () => {
		expect(await said(`${JOIN} say(wifi.connection, wifi.address);`, "--max-seconds", "5")).toEqual([
			"500 127.0.0.1",
		]);
	});
});

describe("names", () => {
	it("are answered later, one after the other, with undefined for those that nobody knows", async () => {
		const main = `import Net from "net"; ${SAY}
			for (const name of ["a.example", "b.example", "localhost"]) Net.resolve(name, (asked, address) => say(asked, address));
			say("asked");`;
		const lines = await said(main, "--resolve", "b.example=192.0.2.1", "--max-seconds", "20");
		expect(lines).toEqual(["asked", "a.example ", "b.example 192.0.2.1", "localhost 127.0.0.1"]);
	});

	it("that are addresses are answered with those, later but at once, without a network too", async () => {
		const main = `import Net from "net"; import Time from "time"; ${SAY}
			const startMs = Time.ticks;
			for (const name of ["192.0.2.7", "127.1", "192.0.2.7.example"])
				Net.resolve(name, (asked, address) => say(asked, address, Time.ticks - startMs < 20));
			say("asked");`;
		const lines = await said(main, "--network-down", "0-100", "--max-seconds", "20");
		expect(lines).toEqual([
			"asked",
			"192.0.2.7 192.0.2.7 true",
			"127.1 127.0.0.1 true",
			"192.0.2.7.example  false",
		]);
	});

	it("that are addresses wait for the question before them too", async () => {
		const main = `import Net from "net"; ${SAY}
			for (const name of ["a.example", "192.0.2.7"]) Net.resolve(name, (asked, address) => say(asked, address));`;
		expect(await said(main, "--max-seconds", "20")).toEqual(["a.example ", "192.0.2.7 192.0.2.7"]);
	});

	it("stay unanswered behind one that never is", async () => {
		const main = `import Net from "net"; ${SAY}
			for (const name of ["a.example", "localhost"]) Net.resolve(name, (asked) => say(asked));`;
		expect(await said(main, "--resolve", "a.example=never", "--max-seconds", "100")).toEqual([]);
	});
});

describe("datagrams", () => {
	const OPEN = `import UDP from "embedded:io/socket/udp"; import Timer from "timer"; ${SAY}
		const udp = new UDP({ port: 5353, onReadable: (count) => {
			say("count", count);
			for (let data; (data = udp.read()); ) say(data.address, data.port, data.byteLength);
		} });`;

	it("go to the port of the host that was named, multicast too, and come back as from the port they went to", async () => {
		const peer = await UdpPeer.open();
		peer.onReceived = ({ from }) => peer.send(Buffer.from("answer"), from.port);
		const main = `${OPEN} udp.add("224.0.0.251"); udp.write(Uint8Array.of(1, 2, 3), "224.0.0.251", 5353);`;
		const lines = await said(main, "--udp-to", `5353=${peer.port}`, "--until", "5353 6");
		expect(peer.received[0]?.bytes).toEqual(Buffer.from([1, 2, 3]));
		expect(lines).toEqual(["count 1", "127.0.0.1 5353 6"]);
	});

	it("throw for what is no address, and without a network", async () => {
		const main = `${OPEN}
			const attempt = (work) => { try { work(); } catch (error) { say(error.name, error.message); } };
			attempt(() => udp.write(Uint8Array.of(1), "updates.example", 1));
			attempt(() => new UDP({ port: 70000 }));
			attempt(() => new UDP({ timeToLive: 0 }));
			udp.close(); udp.close();
			attempt(() => udp.read());
			Timer.set(() => attempt(() => new UDP({})), 20000);`;
		const lines = await said(main, "--network-down", "10-100", "--max-seconds", "30");
		expect(lines).toEqual([
			"RangeError invalid IP address",
			"RangeError invalid port",
			"RangeError invalid timeToLive",
			"Error closed",
			"Error no network",
		]);
	});
});

describe("a pin", () => {
	it("is a line at each change of its level, and throws where it cannot be an output", async () => {
		const main = `import Digital from "embedded:io/digital";
			const led = new Digital({ pin: 2, mode: Digital.Output, activeLow: true, initialValue: 0 });
			for (const value of [1, 1, 0]) led.write(value);
			try { new Digital({ pin: 34, mode: Digital.Output }); } catch (error) { trace(error.message + "\\n"); }`;
		const run = await runModules({ main }, "--fast", "--max-seconds", "5", "--max-boots", "1");
		expect(run.serial.match(/pin 2 is \w+/g)).toEqual(["pin 2 is high", "pin 2 is low", "pin 2 is high"]);
		expect(run.serial).toContain("invalid pin");
	});

	it("of a chip with one bank of them is taken modulo 32", async () => {
		const main = `import Digital from "embedded:io/digital"; new Digital({ pin: 44, mode: Digital.Output });`;
		const device = new Device({ main }, { chip: "esp32c3" });
		onTestFinished(() => device.close());
		const run = await device.run("--fast", "--max-seconds", "5");
		expect(run.serial).toContain("pin 12 is low");
	});
});
