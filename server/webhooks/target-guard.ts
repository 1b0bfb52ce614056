// Which addresses a webhook may reach. Threat: an operator's webhook, or a name that its owner points elsewhere between
// check and connection (DNS rebinding), makes the server call what only the server can reach: its own ports, the network
// behind it, a cloud's metadata service. So the address itself is judged, the very one that is connected to.
import { type LookupAddress, type LookupAllOptions, lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { FotaError } from "../../src/protocol/error-codes.js";

/** Public unicast only: no loopback, private, link-local, carrier, multicast, documentation or translated ones. */
export function isPublicAddress(address: string): boolean {
	if (!ipaddr.isValid(address)) return false;
	// An IPv4 address in IPv6 clothes is judged as what it is.
	return ipaddr.process(address).range() === "unicast";
}

/** The parsed target. Throws `request-malformed` for what can never be one. */
export function parseTarget(text: string, isPrivateAllowed: boolean): URL {
	if (!URL.canParse(text)) throw new FotaError("request-malformed", "url is not a URL");
	const url = new URL(text);
	if (url.protocol !== "https:" && url.protocol !== "http:")
		throw new FotaError("request-malformed", "url is neither https nor http");
	if (url.username !== "" || url.password !== "")
		throw new FotaError("request-malformed", "url has a password in it; the signature says who sends");
	// No name to look up, so the guarded look-up below would not be asked.
	const literal = url.hostname.replace(/^\[|\]$/g, "");
	if (!isPrivateAllowed && ipaddr.isValid(literal) && !isPublicAddress(literal))
		throw new FotaError("request-malformed", "url names an address that is not public");
	return url;
}

export type LookupAll = (
	hostname: string,
	options: LookupAllOptions,
	callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export const ADDRESS_REFUSED = "ERR_ADDRESS_REFUSED";

/** For a connection: resolves like the system, and gives out public addresses only. */
export function guardedLookup(isPrivateAllowed: boolean, resolve: LookupAll = lookup): LookupFunction {
	return (hostname, options, callback) => {
		resolve(hostname, { ...options, all: true }, (error, addresses) => {
			if (error !== null) return callback(error, []);
			const allowed = addresses.filter(({ address }) => isPrivateAllowed || isPublicAddress(address));
			const [first] = allowed;
			if (first === undefined)
				return callback(Object.assign(new Error("no public address"), { code: ADDRESS_REFUSED }), []);
			if (options.all === true) callback(null, allowed);
			else callback(null, first.address, first.family);
		});
	};
}
