// Builds everything that has to do with the network the device stands in: the interface that is kept connected, names,
// and what is told when the network comes and goes. Called by main.ts alone. It must not know what the updater does.

import UDP from "embedded:io/socket/udp";
import Timer from "timer";
import { Discovery } from "../adapters/discovery.js";
import { openInterface } from "../adapters/interface.js";
import type { LocalService } from "../adapters/mdns-records.js";
import { Network, type NetworkListener } from "../adapters/network.js";
import { PolledNames } from "../adapters/polled-names.js";
import { Resolver } from "../adapters/resolver.js";
import type { TcpStack } from "../adapters/tcp-connection.js";
import type { UdpSocketClass } from "../adapters/udp-socket.js";
import { WallClock } from "../adapters/wall-clock.js";
import { FotaNames } from "../native/fota-names.js";
import type { FotaSockets } from "../native/fota-sockets.js";
import type { Identity } from "../protocol/identity.js";
import { PUSH_PORT } from "../protocol/push.js";
import { hostnameOf } from "../protocol/surroundings.js";
import type { Clock, Device, Log, Random, Timer as TimerPort } from "../update/ports.js";

export interface NetworkParts {
	readonly identity: Identity;
	/** What the device tells the local network of itself. */
	readonly device: Pick<Device, "version" | "deviceType" | "chip">;
	readonly sockets: FotaSockets;
	readonly clock: Clock;
	readonly timer: TimerPort;
	readonly random: Random;
	/** Shows the time of day once it is known. */
	readonly log: Log & { setTime(unixAtStartMs: number): void };
}

export interface DeviceNetwork {
	/** For connections to names and addresses. */
	readonly tcp: TcpStack;
	/** Of the access point. Throws what the driver throws. */
	rssiDbm(): number | undefined;
	/** Connects, and keeps connected for good. Never throws. `listeners` are told in their order. */
	start(listeners: readonly NetworkListener[]): void;
	/** Before a restart: takes leave of the local network. Nothing is told any more. */
	stop(): void;
}

export function createNetwork(parts: NetworkParts): DeviceNetwork {
	const { identity, sockets, timer, log } = parts;
	let told: readonly NetworkListener[] = [];
	const hostname = hostnameOf(identity);
	const network = new Network({
		...parts,
		open: (onChanged) => openInterface({ wifi: identity.wifi, hostname, onChanged }),
		listeners: () => told,
	});
	const hasNetwork = () => network.address !== undefined;
	const resolver = new Resolver({ net: new PolledNames(new FotaNames(), Timer), timer, log, hasNetwork });
	const services = identity.push === false ? [] : pushServices(parts);
	const discovery = new Discovery({ ...parts, io: udpClass(), hostname, services });
	return {
		tcp: { sockets, resolver },
		rssiDbm: () => network.rssiDbm,
		start: (listeners) => {
			told = [...listeners, discovery, ...openWallClock({ ...parts, resolver })];
			network.start();
		},
		stop: () => {
			discovery.close();
			network.stop();
		},
	};
}

/** None without a time server. */
function openWallClock(parts: NetworkParts & { readonly resolver: Resolver }): readonly NetworkListener[] {
	const { identity, log } = parts;
	if (identity.ntp === undefined) return [];
	const onTime = (unixAtStartMs: number) => log.setTime(unixAtStartMs);
	return [new WallClock({ ...parts, io: udpClass(), host: identity.ntp, onTime })];
}

/** The SDK's typings leave out close and add. */
function udpClass(): UdpSocketClass {
	return UDP as unknown as UdpSocketClass;
}

/** Where updates may be pushed to, and who is asked there. */
function pushServices(parts: NetworkParts): readonly LocalService[] {
	const { version, deviceType, chip } = parts.device;
	const texts = [`version=${version}`, `device_type=${deviceType}`, `chip=${chip}`];
	return [
		{ type: "_http._tcp", port: PUSH_PORT, texts: [...texts, "path=/info"] },
		{ type: "_ota._tcp", port: PUSH_PORT, texts },
	];
}
