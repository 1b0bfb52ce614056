/*
 * C of the "embedded:io/socket/tcp" stand-in, the calls from JavaScript: options
 * and errors of Moddable's TCP over lwip. Callbacks: sim-tcp-events.c. Bytes and
 * time: sim-socket.c.
 */
#include "sim-tcp-record.h"

#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#include "chip.h"
#include "io-options.h"

struct tcp *sim_tcp_first;

void xs_tcp_destructor(void *data)
{
	(void)data; /* an open socket is never collected: it is remembered */
}

static void mark(xsMachine *the, void *data, xsMarkRoot mark_root)
{
	struct tcp *tcp = data;
	if (!tcp)
		return;
	if (tcp->on_readable)
		(*mark_root)(the, tcp->on_readable);
	if (tcp->on_writable)
		(*mark_root)(the, tcp->on_writable);
	if (tcp->on_error)
		(*mark_root)(the, tcp->on_error);
}

static const xsHostHooks tcp_hooks = { xs_tcp_destructor, mark, NULL };

void sim_tcp_release(struct tcp *tcp)
{
	if (--tcp->use_count > 0)
		return;
	struct tcp **link = &sim_tcp_first;
	while (*link != tcp)
		link = &(*link)->next;
	*link = tcp->next;
	sim_socket_close(tcp->socket, false);
	sim_socket_free(tcp->socket);
	free(tcp);
}

static uint32_t count_sockets(void)
{
	uint32_t count = 0;
	for (struct tcp *tcp = sim_tcp_first; tcp; tcp = tcp->next)
		count++;
	return count;
}

static struct tcp *this_tcp(xsMachine *the)
{
	struct tcp *tcp = xsmcGetHostDataValidate(xsThis, (void *)&tcp_hooks);
	if (!tcp)
		xsUnknownError("closed");
	return tcp;
}

static uint8_t format_option(xsMachine *the)
{
	uint8_t format = io_option_format(the, IO_FORMAT_BUFFER);
	if (format != IO_FORMAT_BUFFER && format != IO_FORMAT_NUMBER)
		xsRangeError("unimplemented");
	return format;
}

static void attach(xsMachine *the, struct tcp *tcp)
{
	struct tcp **link = &sim_tcp_first;
	while (*link)
		link = &(*link)->next;
	*link = tcp;
	tcp->the = the;
	tcp->use_count = 1;
	tcp->self = xsThis;
	xsmcSetHostData(xsThis, tcp);
	xsSetHostHooks(xsThis, &tcp_hooks);
	xsRemember(tcp->self);
}

static struct tcp *new_tcp(xsMachine *the)
{
	if (count_sockets() >= SIM_TCP_SOCKETS_MAX)
		xsRangeError("no socket");
	struct tcp *tcp = calloc(1, sizeof(*tcp));
	if (!tcp)
		xsRangeError("no memory");
	tcp->socket = sim_socket_new();
	tcp->format = IO_FORMAT_BUFFER;
	return tcp;
}

static void take_callbacks(xsMachine *the, struct tcp *tcp)
{
	tcp->on_readable = io_option_callback(the, xsID_onReadable);
	tcp->on_writable = io_option_callback(the, xsID_onWritable);
	tcp->on_error = io_option_callback(the, xsID_onError);
}

void xs_tcp_constructor(xsMachine *the)
{
	char address[40];
	xsmcVars(1);
	if (sim_network_is_down())
		xsUnknownError("no network");
	uint8_t format = format_option(the);
	xsmcGet(xsVar(0), xsArg(0), xsID_port);
	if (xsmcTypeOf(xsVar(0)) == xsUndefinedType)
		xsUnknownError("invalid");
	xsIntegerValue port = xsmcToInteger(xsVar(0));
	if (port < 0 || port > 65535)
		xsRangeError("invalid port");
	xsmcGet(xsVar(0), xsArg(0), xsID_address);
	xsmcToStringBuffer(xsVar(0), address, sizeof(address));
	struct tcp *tcp = new_tcp(the);
	tcp->format = format;
	if (!sim_socket_open(tcp->socket, address, (uint16_t)port)) {
		sim_socket_free(tcp->socket);
		free(tcp);
		xsUnknownError("invalid address");
	}
	take_callbacks(the, tcp);
	attach(the, tcp);
	io_option_target(the);
}

void xs_tcp_close(xsMachine *the)
{
	struct tcp *tcp = xsmcGetHostData(xsThis);
	if (!tcp)
		return;
	xsmcGetHostDataValidate(xsThis, (void *)&tcp_hooks);
	xsForget(tcp->self);
	xsmcSetHostData(xsThis, NULL);
	tcp->is_closed = true;
	tcp->triggered = 0;
	sim_socket_close(tcp->socket, false);
	sim_tcp_release(tcp);
}

/* How much to read, and whether into the caller's own buffer. */
static uint32_t requested_bytes(xsMachine *the, uint32_t available, void **bytes)
{
	xsUnsignedValue length = available;
	*bytes = NULL;
	if (xsmcArgc > 0 && xsmcTypeOf(xsArg(0)) == xsReferenceType) {
		xsmcGetBufferWritable(xsArg(0), bytes, &length);
	} else if (xsmcArgc > 0 && xsmcTypeOf(xsArg(0)) != xsUndefinedType) {
		xsIntegerValue count = xsmcToInteger(xsArg(0));
		length = count > 0 ? (xsUnsignedValue)count : 0;
	}
	if (length == 0 || length > available)
		xsUnknownError("invalid");
	return length;
}

void xs_tcp_read(xsMachine *the)
{
	struct tcp *tcp = this_tcp(the);
	uint32_t available = sim_socket_available(tcp->socket);
	uint32_t length = 1;
	uint8_t value = 0;
	void *bytes = &value;
	if (available == 0)
		return;
	if (tcp->format == IO_FORMAT_BUFFER) {
		length = requested_bytes(the, available, &bytes);
		if (bytes)
			xsmcSetInteger(xsResult, (xsIntegerValue)length);
		else
			bytes = xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)length);
	}
	sim_socket_read(tcp->socket, bytes, length);
	tcp->seen_bytes -= length < tcp->seen_bytes ? length : tcp->seen_bytes;
	if (tcp->format == IO_FORMAT_NUMBER)
		xsmcSetInteger(xsResult, value);
	if (length == available && tcp->has_error)
		tcp->triggered |= SIM_TCP_FAILED;
}

void xs_tcp_write(xsMachine *the)
{
	struct tcp *tcp = this_tcp(the);
	xsUnsignedValue length = 1;
	uint8_t value;
	void *bytes = &value;
	if (tcp->has_error)
		return;
	if (!tcp->is_ready)
		xsUnknownError("not ready");
	if (tcp->format == IO_FORMAT_BUFFER)
		xsmcGetBufferReadable(xsArg(0), &bytes, &length);
	else
		value = (uint8_t)xsmcToInteger(xsArg(0));
	if (length > sim_socket_room(tcp->socket))
		xsUnknownError("would block");
	if (!sim_socket_write(tcp->socket, bytes, length)) {
		tcp->triggered |= SIM_TCP_FAILED;
		return;
	}
	tcp->seen_unacknowledged_bytes = tcp->socket->unacknowledged_bytes;
	xsmcSetInteger(xsResult, (xsIntegerValue)sim_socket_room(tcp->socket));
}

void xs_tcp_get_remoteAddress(xsMachine *the)
{
	char address[40];
	if (!sim_socket_peer(this_tcp(the)->socket, address, sizeof(address), NULL))
		xsUnknownError("not connected");
	xsmcSetString(xsResult, address);
}

void xs_tcp_get_remotePort(xsMachine *the)
{
	char address[40];
	uint16_t port = 0;
	if (!sim_socket_peer(this_tcp(the)->socket, address, sizeof(address), &port))
		xsUnknownError("not connected");
	xsmcSetInteger(xsResult, port);
}

void xs_tcp_get_format(xsMachine *the)
{
	io_format_to_string(the, this_tcp(the)->format);
}

void xs_tcp_set_format(xsMachine *the)
{
	struct tcp *tcp = this_tcp(the);
	uint8_t format = io_format_from_string(the, &xsArg(0));
	if (format != IO_FORMAT_BUFFER && format != IO_FORMAT_NUMBER)
		xsRangeError("unimplemented");
	tcp->format = format;
}
