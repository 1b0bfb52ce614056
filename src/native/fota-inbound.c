/*
 * C side of fota-inbound.ts: one port and the connections that others open to it, over
 * lwip's own sockets, which may be used from any task and keep what arrives until it is
 * asked for. So nothing calls back into JavaScript, and a peer that goes away at whatever
 * moment leaves no pointer behind (threat: one that resets its connection before it is
 * taken). No call waits: lwip_close leaves a FIN that finds no memory to lwip's timer.
 *
 * The table is the module's own and lives as long as the chip runs; listen() empties it,
 * so an object that is lost, or a machine that ends, leaks no descriptor.
 */

#include "fota-native.h"

#include <errno.h>

#include "esp_netif.h"
#include "lwip/sockets.h"

/* With the listening one these are all descriptors used; CONFIG_LWIP_MAX_SOCKETS is above. */
#define CONNECTIONS_MAX 3
/* Connections that lwip completes before they are taken. */
#define BACKLOG 3
/* As many as lwip's queue can hold of which nothing is left (CONFIG_LWIP_TCP_ACCEPTMBOX_SIZE). */
#define ACCEPT_TRIES 6
#define CLOSED -1
#define NOT_THERE -1

struct InboundRecord {
	xsIntegerValue	handle;	/* 0: the place is free */
	int				descriptor;
};
typedef struct InboundRecord InboundRecord;
typedef struct InboundRecord *Inbound;

static int gListening = CLOSED;
static InboundRecord gInbound[CONNECTIONS_MAX];
static xsIntegerValue gLastHandle;

/* The record with this handle, 0 for a free one; NULL if there is none. */
static Inbound findInbound(xsIntegerValue handle)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		if (handle == gInbound[i].handle)
			return &gInbound[i];
	}
	return NULL;
}

/* NULL if it was closed: a stale handle never reaches lwip, whose descriptors are reused. */
static Inbound toInbound(xsMachine *the, xsSlot *slot)
{
	return findInbound((xsIntegerValue)fotaToWhole(the, slot, 1, INT32_MAX));
}

static xsIntegerValue newHandle(void)
{
	do {
		gLastHandle = gLastHandle < INT32_MAX ? gLastHandle + 1 : 1;
	} while (findInbound(gLastHandle));
	return gLastHandle;
}

static void closeInbound(Inbound inbound)
{
	inbound->handle = 0;
	lwip_close(inbound->descriptor);
}

static void closeAll(void)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		if (gInbound[i].handle)
			closeInbound(&gInbound[i]);
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

void xs_fota_inbound_listen(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	uint16_t port = (uint16_t)fotaToWhole(the, &xsArg(0), 1, UINT16_MAX);
	closeAll();
	/* lwip's task is there once an interface is; without it lwip_socket would abort. */
	if (0 == esp_netif_get_nr_of_ifs())
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

void xs_fota_inbound_accept(xsMachine *the)
{
	Inbound inbound = findInbound(0);
	int descriptor = inbound && CLOSED != gListening ? acceptOne() : CLOSED;
	if (CLOSED == descriptor) {
		xsmcSetInteger(xsResult, NOT_THERE);
		return;
	}
	inbound->descriptor = descriptor;
	inbound->handle = newHandle();
	xsmcSetInteger(xsResult, inbound->handle);
}

/* For JavaScript: bytes, 0 when none can be moved now, NOT_THERE when that is over. */
static xsIntegerValue outcomeOf(ssize_t count, bool isEnd)
{
	if (count > 0)
		return (xsIntegerValue)count;
	return isEnd || (count < 0 && EAGAIN != errno) ? NOT_THERE : 0;
}

void xs_fota_inbound_read(xsMachine *the)
{
	fotaNeedArguments(the, 4);
	Inbound inbound = toInbound(the, &xsArg(0));
	uint32_t offset = fotaToUnsigned(the, &xsArg(2));
	uint32_t count = fotaToUnsigned(the, &xsArg(3));
	uint8_t *bytes = fotaWritable(the, &xsArg(1), offset, count);
	xsIntegerValue outcome = inbound ? 0 : NOT_THERE;
	/* For no bytes at all lwip would answer as for an end. */
	if (inbound && count > 0) {
		ssize_t received = lwip_recv(inbound->descriptor, bytes, count, 0);
		outcome = outcomeOf(received, 0 == received);
	}
	xsmcSetInteger(xsResult, outcome);
}

void xs_fota_inbound_write(xsMachine *the)
{
	fotaNeedArguments(the, 4);
	Inbound inbound = toInbound(the, &xsArg(0));
	uint32_t offset = fotaToUnsigned(the, &xsArg(2));
	uint32_t count = fotaToUnsigned(the, &xsArg(3));
	uint8_t *bytes = fotaReadable(the, &xsArg(1), offset, count);
	xsIntegerValue outcome = inbound ? 0 : NOT_THERE;
	if (inbound && count > 0)
		outcome = outcomeOf(lwip_send(inbound->descriptor, bytes, count, 0), false);
	xsmcSetInteger(xsResult, outcome);
}

void xs_fota_inbound_close(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	Inbound inbound = toInbound(the, &xsArg(0));
	if (inbound)
		closeInbound(inbound);
}

void xs_fota_inbound_stop(xsMachine *the)
{
	(void)the;
	closeAll();
}
