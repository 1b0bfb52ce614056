// A device's name in a network that is a fake, in time that a test moves, and what it says there. Used by the tests of
// discovery beside it.
import { Discovery } from "../../src/adapters/discovery.js";
import { type DnsMessage, parseDnsMessage } from "../../src/protocol/dns-message.js";
import { ManualTime } from "../fakes/manual-time.js";
import { RecordingLog } from "../fakes/recording-log.js";
import { seededRandom } from "../fakes/seeded-random.js";
import { FakeUdpNetwork, type Sent } from "./fake-udp.js";

export const PTR = 12;
export const MDNS = 5353;
export const GROUP = "224.0.0.251";
/** Addresses of the device, and of somebody else in its network. */
export const OWN = "192.0.2.7";
export const OTHER = "192.0.2.9";

/** A device that is called Boiler, once there is a network. */
export class DiscoveryRig {
	readonly time = new ManualTime();
	readonly udp = new FakeUdpNetwork();
	readonly log = new RecordingLog();
	readonly discovery = new Discovery({
		io: this.udp.io,
		hostname: "Boiler",
		services: [
			{ type: "_http._tcp", port: 3232, texts: ["path=/info"] },
			{ type: "_ota._tcp", port: 3232, texts: ["version=1.0.0"] },
		],
		clock: this.time,
		timer: this.time,
		random: seededRandom(3),
		log: this.log,
	});

	/** Up, named, and past its announcements. */
	named(): void {
		this.discovery.networkUp(OWN);
		this.time.advance(5000);
		this.udp.takeSent();
	}
}

export function read({ bytes }: Sent): DnsMessage {
	const message = parseDnsMessage(bytes);
	if (message === undefined) throw new Error("sent what nobody can read");
	return message;
}
