/*
 * C of the "embedded:io/socket/udp" stand-in: options and errors of Moddable's UDP over lwip, on a loopback socket of the
 * host. A bound port is one that the system gives; the simulator prints which. --udp-to leads what is sent to a port,
 * multicast included, to a port of the host, and what comes from there comes from that port. Other multicast is lost.
 */
#include "sim-udp-record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#include "chip.h"
#include "io-options.h"
#include "sim-socket.h"

#define SOCKETS_MAX 16u /* MEMP_NUM_UDP_PCB */

struct udp *sim_udp_first;

void xs_udp_destructor(void *data)
{
	(void)data; /* an open socket is never collected: it is remembered */
}

static void mark(xsMachine *the, void *data, xsMarkRoot mark_root)
{
	struct udp *udp = data;
	if (udp && udp->on_readable)
		(*mark_root)(the, udp->on_readable);
}

static const xsHostHooks udp_hooks = { xs_udp_destructor, mark, NULL };

static struct udp *this_udp(xsMachine *the)
{
	struct udp *udp = xsmcGetHostDataValidate(xsThis, (void *)&udp_hooks);
	if (!udp)
		xsUnknownError("closed");
	return udp;
}

void sim_udp_release(struct udp *udp)
{
	if (--udp->use_count > 0)
		return;
	struct udp **link = &sim_udp_first;
	while (*link != udp)
		link = &(*link)->next;
	*link = udp->next;
	struct sim_packet *packet;
	while ((packet = sim_udp_take(udp)))
		sim_udp_drop(packet);
	close(udp->fd);
	free(udp);
}

/* A socket of the host on loopback, at a port the system gives. -1: none. */
static int open_host_socket(xsIntegerValue port)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(own);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) || getsockname(fd, (struct sockaddr *)&own, &size)) {
		close(fd);
		return -1;
	}
	if (port)
		chip_printf("sim: udp %d is 127.0.0.1:%u\n", (int)port, ntohs(own.sin_port));
	return fd;
}

static xsIntegerValue integer_option(xsMachine *the, xsIdentifier id, xsIntegerValue fallback)
{
	xsSlot slot;
	if (!xsmcHas(xsArg(0), id))
		return fallback;
	xsmcGet(slot, xsArg(0), id);
	return xsmcToInteger(slot);
}

void xs_udp_constructor(xsMachine *the)
{
	uint32_t count = 0;
	xsSlot *on_readable = io_option_callback(the, xsID_onReadable);
	if (sim_network_is_down())
		xsUnknownError("no network");
	xsIntegerValue port = integer_option(the, xsID_port, 0);
	if (port < 0 || port > 65535)
		xsRangeError("invalid port");
	xsIntegerValue ttl = integer_option(the, xsID_timeToLive, 1);
	if (ttl <= 0 || ttl > 255)
		xsRangeError("invalid timeToLive");
	if (io_option_format(the, IO_FORMAT_BUFFER) != IO_FORMAT_BUFFER)
		xsRangeError("invalid format");
	for (struct udp *other = sim_udp_first; other; other = other->next)
		count++;
	if (count >= SOCKETS_MAX)
		xsRangeError("no socket");
	struct udp *udp = calloc(1, sizeof(*udp));
	if (!udp)
		xsRangeError("no memory");
	udp->fd = open_host_socket(port);
	if (udp->fd < 0) {
		free(udp);
		xsUnknownError("bind failed");
	}
	udp->the = the;
	udp->on_readable = on_readable;
	udp->use_count = 1;
	udp->self = xsThis;
	udp->next = sim_udp_first;
	sim_udp_first = udp;
	xsmcSetHostData(xsThis, udp);
	xsSetHostHooks(xsThis, &udp_hooks);
	xsRemember(udp->self);
	io_option_target(the);
}

void xs_udp_close(xsMachine *the)
{
	struct udp *udp = xsmcGetHostData(xsThis);
	if (!udp)
		return;
	xsmcGetHostDataValidate(xsThis, (void *)&udp_hooks);
	xsForget(udp->self);
	xsmcSetHostData(xsThis, NULL);
	udp->is_closed = true;
	sim_udp_release(udp);
}

static const struct chip_udp_lead *lead_to(uint16_t port)
{
	for (uint32_t i = 0; i < chip->options.udp_lead_count; i++) {
		if (chip->options.udp_lead[i].port == port)
			return &chip->options.udp_lead[i];
	}
	return NULL;
}

void xs_udp_read(xsMachine *the)
{
	char address[INET_ADDRSTRLEN];
	struct sim_packet *packet = sim_udp_take(this_udp(the));
	if (!packet)
		return;
	struct sockaddr_in from = packet->from;
	xsmcSetArrayBuffer(xsResult, packet->bytes, (xsIntegerValue)packet->length);
	sim_udp_drop(packet);
	xsmcVars(1);
	xsmcSetInteger(xsVar(0), ntohs(from.sin_port));
	xsmcSet(xsResult, xsID_port, xsVar(0));
	inet_ntop(AF_INET, &from.sin_addr, address, sizeof(address));
	xsmcSetString(xsVar(0), address);
	xsmcSet(xsResult, xsID_address, xsVar(0));
}

static void parse_address(xsMachine *the, xsSlot *slot, struct in_addr *address)
{
	if (inet_pton(AF_INET, xsmcToString(*slot), address) != 1)
		xsRangeError("invalid IP address");
}

void xs_udp_write(xsMachine *the)
{
	struct udp *udp = this_udp(the);
	struct sockaddr_in to = { .sin_family = AF_INET };
	xsUnsignedValue length;
	void *bytes;
	parse_address(the, &xsArg(1), &to.sin_addr);
	uint16_t port = (uint16_t)xsmcToInteger(xsArg(2));
	xsmcGetBufferReadable(xsArg(0), &bytes, &length);
	if (sim_network_is_down() || length > SIM_PACKET_MAX_BYTES)
		xsUnknownError("UDP send failed");
	bool is_multicast = IN_MULTICAST(ntohl(to.sin_addr.s_addr));
	const struct chip_udp_lead *lead = lead_to(port);
	to.sin_port = htons(lead ? lead->host_port : port);
	if (lead) {
		udp->asked = to.sin_addr;
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else if (is_multicast) {
		return;
	}
	chip->network_stats.tx_bytes += length;
	if (!is_multicast)
		sim_udp_has_asked();
	if (sendto(udp->fd, bytes, length, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != ECONNREFUSED)
		xsUnknownError("UDP send failed");
}

void xs_udp_add(xsMachine *the)
{
	struct in_addr address;
	this_udp(the);
	parse_address(the, &xsArg(0), &address);
	if (address.s_addr == INADDR_NONE)
		xsUnknownError("broadcast is not multicast");
}
