/*
 * C of the "embedded:io/socket/listener" stand-in: options and errors of Moddable's
 * Listener over lwip, on a loopback port of the host. A connection is given out as a TCP
 * without callbacks, which "from" takes over (sim-tcp.c). A callback that throws aborts
 * the application, as on the chip.
 */
#include "sim-listener.h"

#include <unistd.h>

#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#include "chip.h"
#include "io-options.h"
#include "sim-listening.h"
#include "sim-tcp-record.h"
#include "xs/event-loop.h"

#define PENDING_MAX 8u
#define LISTENERS_MAX 8u /* MEMP_NUM_TCP_PCB_LISTEN is 16 */

struct listener {
	struct listener *next;
	xsMachine *the;
	xsSlot self;
	xsSlot *on_readable;
	int fd;
	uint16_t port;
	bool is_closed;
	bool is_triggered;
	uint32_t pending_count;
	int pending[PENDING_MAX];
	int use_count;
};

static struct listener *first;

void xs_listener_destructor(void *data)
{
	(void)data; /* an open listener is never collected: it is remembered */
}

static void mark(xsMachine *the, void *data, xsMarkRoot mark_root)
{
	struct listener *listener = data;
	if (listener && listener->on_readable)
		(*mark_root)(the, listener->on_readable);
}

static const xsHostHooks listener_hooks = { xs_listener_destructor, mark, NULL };

static struct listener *this_listener(xsMachine *the)
{
	struct listener *listener = xsmcGetHostDataValidate(xsThis, (void *)&listener_hooks);
	if (!listener)
		xsUnknownError("closed");
	return listener;
}

static void release(struct listener *listener)
{
	if (--listener->use_count > 0)
		return;
	struct listener **link = &first;
	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	free(listener);
}

void xs_listener_constructor(xsMachine *the)
{
	xsIntegerValue port = 0;
	uint32_t count = 0;
	xsmcVars(1);
	if (sim_network_is_down())
		xsUnknownError("no network");
	xsmcGet(xsVar(0), xsArg(0), xsID_port);
	if (xsmcTypeOf(xsVar(0)) != xsUndefinedType)
		port = xsmcToInteger(xsVar(0));
	if (port < 0 || port > 65535)
		xsRangeError("invalid port");
	xsSlot *on_readable = io_option_callback(the, xsID_onReadable);
	if (io_option_format(the, IO_FORMAT_SOCKET_TCP) != IO_FORMAT_SOCKET_TCP)
		xsRangeError("unimplemented");
	for (struct listener *other = first; other; other = other->next)
		count++;
	if (count >= LISTENERS_MAX)
		xsUnknownError("no socket");
	struct listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		xsRangeError("no memory");
	listener->fd = sim_listening_open((uint16_t)port);
	if (listener->fd < 0) {
		free(listener);
		xsUnknownError("socket bind");
	}
	listener->the = the;
	listener->port = (uint16_t)port;
	listener->on_readable = on_readable;
	listener->use_count = 1;
	listener->self = xsThis;
	listener->next = first;
	first = listener;
	xsmcSetHostData(xsThis, listener);
	xsSetHostHooks(xsThis, &listener_hooks);
	xsRemember(listener->self);
	io_option_target(the);
}

void xs_listener_close(xsMachine *the)
{
	struct listener *listener = xsmcGetHostData(xsThis);
	if (!listener)
		return;
	xsmcGetHostDataValidate(xsThis, (void *)&listener_hooks);
	xsForget(listener->self);
	xsmcSetHostData(xsThis, NULL);
	listener->is_closed = true;
	close(listener->fd);
	while (listener->pending_count)
		close(listener->pending[--listener->pending_count]);
	release(listener);
}

/* The argument is a TCP without a socket; without a connection nobody ever frees it, as
 * on the chip. */
void xs_listener_read(xsMachine *the)
{
	struct listener *listener = this_listener(the);
	if (listener->pending_count == 0)
		return;
	struct tcp *tcp = sim_tcp_bare(the, &xsArg(0));
	sim_socket_adopt(tcp->socket, listener->pending[0]);
	listener->pending_count--;
	for (uint32_t i = 0; i < listener->pending_count; i++)
		listener->pending[i] = listener->pending[i + 1];
	xsResult = xsArg(0);
}

void xs_listener_get_port(xsMachine *the)
{
	xsmcSetInteger(xsResult, this_listener(the)->port);
}

static void accept_all(struct listener *listener)
{
	while (listener->pending_count < PENDING_MAX && !sim_network_is_down()) {
		int fd = sim_listening_accept(listener->fd);
		if (fd < 0)
			return;
		listener->pending[listener->pending_count++] = fd;
		listener->is_triggered = true;
	}
}

static void deliver(struct listener *listener)
{
	xsMachine *the = listener->the;
	listener->is_triggered = false;
	if (!listener->on_readable)
		return;
	listener->use_count++;
	xsBeginHost(the);
	xsmcVars(1);
	xsVar(0) = xsReference(listener->on_readable);
	xsCallFunction1(xsVar(0), listener->self, xsInteger((xsIntegerValue)listener->pending_count));
	xsEndHost(the);
	event_loop_after_callback(the);
	release(listener);
}

bool sim_listener_run_due(void)
{
	bool has_run = false;
	for (struct listener *listener = first; listener; listener = listener->next) {
		if (!listener->is_closed)
			accept_all(listener);
	}
	struct listener *listener = first;
	while (listener) {
		if (listener->is_closed || !listener->is_triggered) {
			listener = listener->next;
			continue;
		}
		deliver(listener);
		has_run = true;
		listener = first;
	}
	return has_run;
}

nfds_t sim_listener_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit)
{
	for (struct listener *listener = first; listener && count < limit; listener = listener->next) {
		if (!listener->is_closed && listener->pending_count < PENDING_MAX && !sim_network_is_down())
			polls[count++] = (struct pollfd){ listener->fd, POLLIN, 0 };
	}
	return count;
}

uint64_t sim_listener_patience_us(void)
{
	return first ? sim_listening_patience_us() : 0;
}
