// The server's host as the socket takes it. Used by main. Names are not resolved: the host is an IPv4 address.

const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const IPV4 = `^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`;

/** The IPv4 address of `host`, in digits; undefined for a name, except for localhost. */
export function numericAddress(host: string): string | undefined {
	if (host === "localhost") return "127.0.0.1";
	return new RegExp(IPV4).test(host) ? host : undefined;
}

/** Host header (RFC 9110 §7.2): the port is left out where it is HTTP's own. */
export function hostHeader(host: string, port: number): string {
	return port === 80 ? host : `${host}:${port}`;
}
