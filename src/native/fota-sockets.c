/*
 * C side of fota-sockets.ts: TCP connections over lwip's own sockets, which may be used from
 * any task and keep what arrives until it is asked for. So nothing calls back into
 * JavaScript, and a peer that goes away at whatever moment leaves no pointer behind (threat:
 * one that resets its connection before it is taken, or ends and resets it while JavaScript
 * is busy). No call waits: lwip_close leaves a FIN that finds no memory to lwip's timer.
 *
 * The table is the module's own and lives as long as the chip runs. Places of others and of
 * the device are apart (threat: strangers at the port who take every place, and with it the
 * way to the server).
 */

#include "fota-native.h"

#include <errno.h>

#include "esp_netif.h"
#include "lwip/sockets.h"

/* With the listening one these are all descriptors used; CONFIG_LWIP_MAX_SOCKETS is above. */
#define INBOUND_MAX 3
#define OUTBOUND_MAX 4
#define PLACES (INBOUND_MAX + OUTBOUND_MAX)
/* Connections that lwip completes before they are taken. */
#define BACKLOG 3
/* As many as lwip's queue can hold of which nothing is left (CONFIG_LWIP_TCP_ACCEPTMBOX_SIZE). */
#define ACCEPT_TRIES 6
#define CLOSED -1
#define NOT_THERE -1

struct ConnectionRecord {
	xsIntegerValue	handle;	/* 0: the place is free */
	int				descriptor;
};
typedef struct ConnectionRecord ConnectionRecord;
typedef struct ConnectionRecord *Connection;

static int gListening = CLOSED;
/* Those of others first. */
static ConnectionRecord gConnections[PLACES];
static xsIntegerValue gLastHandle;

/* Among `count` places from `first`, the one with this handle, 0 for a free one; NULL if there is none. */
static Connection findConnection(int first, int count, xsIntegerValue handle)
{
	for (int i = first; i < first + count; i++) {
		if (handle == gConnections[i].handle)
			return &gConnections[i];
	}
	return NULL;
}

/* NULL if it was closed: a stale handle never reaches lwip, whose descriptors are reused. */
static Connection toConnection(xsMachine *the, xsSlot *slot)
{
	return findConnection(0, PLACES, (xsIntegerValue)fotaToWhole(the, slot, 1, INT32_MAX));
}

/* Its handle: one that no other connection has, or lately had. */
static xsIntegerValue keep(Connection connection, int descriptor)
{
	do {
		gLastHandle = gLastHandle < INT32_MAX ? gLastHandle + 1 : 1;
	} while (findConnection(0, PLACES, gLastHandle));
	connection->descriptor = descriptor;
	connection->handle = gLastHandle;
	return gLastHandle;
}

static void closeConnection(Connection connection)
{
	connection->handle = 0;
	lwip_close(connection->descriptor);
}

static void closePort(void)
{
	for (int i = 0; i < INBOUND_MAX; i++) {
		if (gConnections[i].handle)
			closeConnection(&gConnections[i]);
	}
	if (CLOSED != gListening)
		lwip_close(gListening);
	gListening = CLOSED;
}

static bool setNonBlocking(int descriptor)
{
	int on = 1;
	return 0 == lwip_ioctl(descriptor, FIONBIO, &on);
}

/* The network stack's task is there once an interface is; without it lwip_socket would abort. */
static bool hasStack(void)
{
	return esp_netif_get_nr_of_ifs() > 0;
}

/* The descriptor of a connection that is being opened, or the number of the error, negative. */
static int beginToConnect(const struct sockaddr_in *peer)
{
	int on = 1;
	int descriptor = lwip_socket(AF_INET, SOCK_STREAM, 0);
	if (descriptor < 0)
		return -errno;
	lwip_setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (setNonBlocking(descriptor)
		&& (0 == lwip_connect(descriptor, (const struct sockaddr *)peer, sizeof(*peer)) || EINPROGRESS == errno))
		return descriptor;
	int cause = errno;
	lwip_close(descriptor);
	return cause > 0 ? -cause : -EIO;
}

void xs_fota_sockets_connect(xsMachine *the)
{
	char address[sizeof("255.255.255.255")];
	struct sockaddr_in peer = { .sin_family = AF_INET };
	fotaNeedArguments(the, 2);
	peer.sin_port = htons((uint16_t)fotaToWhole(the, &xsArg(1), 1, UINT16_MAX));
	xsmcToStringBuffer(xsArg(0), address, sizeof(address));
	if (1 != lwip_inet_pton(AF_INET, address, &peer.sin_addr))
		xsRangeError("no address");
	Connection connection = findConnection(INBOUND_MAX, OUTBOUND_MAX, 0);
	int descriptor = !hasStack() ? -ENETDOWN : !connection ? -ENFILE : beginToConnect(&peer);
	xsmcSetInteger(xsResult, descriptor < 0 ? descriptor : keep(connection, descriptor));
}

static bool openPort(int descriptor, uint16_t port)
{
	int on = 1;
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(port) };
	own.sin_addr.s_addr = htonl(INADDR_ANY);
	/* Connections of an earlier life may still be on their way out. */
	lwip_setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return setNonBlocking(descriptor) && 0 == lwip_bind(descriptor, (struct sockaddr *)&own, sizeof(own))
		&& 0 == lwip_listen(descriptor, BACKLOG);
}

void xs_fota_sockets_listen(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	uint16_t port = (uint16_t)fotaToWhole(the, &xsArg(0), 1, UINT16_MAX);
	closePort();
	if (!hasStack())
		xsUnknownError("no network");
	int descriptor = lwip_socket(AF_INET, SOCK_STREAM, 0);
	if (descriptor < 0)
		xsUnknownError("no socket, errno %d", errno);
	if (!openPort(descriptor, port)) {
		int cause = errno;
		lwip_close(descriptor);
		xsUnknownError("cannot listen, errno %d", cause);
	}
	gListening = descriptor;
}

/* The next one that can be used, CLOSED if none waits. */
static int acceptOne(void)
{
	int on = 1;
	for (int i = 0; i < ACCEPT_TRIES; i++) {
		int descriptor = lwip_accept(gListening, NULL, NULL);
		if (descriptor < 0) {
			if (EAGAIN == errno)
				return CLOSED;
			continue; /* lwip had no memory for it, and has dropped it */
		}
		if (setNonBlocking(descriptor)) {
			/* Refused for one that was reset meanwhile; reading will say so. */
			lwip_setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			return descriptor;
		}
		lwip_close(descriptor);
	}
	return CLOSED;
}

void xs_fota_sockets_accept(xsMachine *the)
{
	Connection connection = findConnection(0, INBOUND_MAX, 0);
	int descriptor = connection && CLOSED != gListening ? acceptOne() : CLOSED;
	xsmcSetInteger(xsResult, CLOSED == descriptor ? NOT_THERE : keep(connection, descriptor));
}

/* For JavaScript: bytes, 0 when none can be moved now, NOT_THERE when that is over. */
static xsIntegerValue outcomeOf(ssize_t count, bool isEnd)
{
	if (count > 0)
		return (xsIntegerValue)count;
	/* EINPROGRESS: it does not stand yet. */
	return isEnd || (count < 0 && EAGAIN != errno && EINPROGRESS != errno) ? NOT_THERE : 0;
}

void xs_fota_sockets_read(xsMachine *the)
{
	fotaNeedArguments(the, 4);
	Connection connection = toConnection(the, &xsArg(0));
	uint32_t offset = fotaToUnsigned(the, &xsArg(2));
	uint32_t count = fotaToUnsigned(the, &xsArg(3));
	uint8_t *bytes = fotaWritable(the, &xsArg(1), offset, count);
	xsIntegerValue outcome = connection ? 0 : NOT_THERE;
	/* For no bytes at all lwip would answer as for an end. */
	if (connection && count > 0) {
		ssize_t received = lwip_recv(connection->descriptor, bytes, count, 0);
		outcome = outcomeOf(received, 0 == received);
	}
	xsmcSetInteger(xsResult, outcome);
}

void xs_fota_sockets_write(xsMachine *the)
{
	fotaNeedArguments(the, 4);
	Connection connection = toConnection(the, &xsArg(0));
	uint32_t offset = fotaToUnsigned(the, &xsArg(2));
	uint32_t count = fotaToUnsigned(the, &xsArg(3));
	uint8_t *bytes = fotaReadable(the, &xsArg(1), offset, count);
	xsIntegerValue outcome = connection ? 0 : NOT_THERE;
	if (connection && count > 0)
		outcome = outcomeOf(lwip_send(connection->descriptor, bytes, count, 0), false);
	xsmcSetInteger(xsResult, outcome);
}

void xs_fota_sockets_close(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	Connection connection = toConnection(the, &xsArg(0));
	if (connection)
		closeConnection(connection);
}

void xs_fota_sockets_stop(xsMachine *the)
{
	(void)the;
	closePort();
}
