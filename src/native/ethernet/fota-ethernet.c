/*
 * C side of fota-ethernet.ts: the JavaScript object over the driver. For the chip only.
 * Events arrive on ESP-IDF's event task and reach JavaScript as messages. A record lives as
 * long as its object or one of its messages.
 */

#include <stdbool.h>
#include <stdint.h>

#include "esp_eth.h"
#include "esp_event.h"
#include "esp_mac.h"
#include "esp_netif.h"

#include "../fota-native.h"
#include "fota-ethernet-driver.h"

#include "builtinCommon.h"
#include "mc.defines.h"
#include "mc.xs.h"

/* As the SDK's interfaces count: stopped, waiting for a link, for an address, ready. */
enum { DISCONNECTED = 200, CONNECTING = 300, LINKED = 400, CONNECTED = 500 };

typedef struct EthernetRecord {
	xsMachine *the;
	xsSlot object;
	xsSlot *onChanged;
	/* The object, and each message on its way. */
	uint32_t useCount;
	/* Of the values above; written by the JavaScript task alone. */
	uint16_t connection;
	bool isClosed;
	esp_event_handler_instance_t onLink;
	esp_event_handler_instance_t onAddress;
} EthernetRecord, *Ethernet;

void xs_fota_ethernet_destructor(void *data);

static void mark(xsMachine *the, void *data, xsMarkRoot markRoot)
{
	Ethernet ethernet = data;
	if (ethernet->onChanged)
		(*markRoot)(the, ethernet->onChanged);
}

static const xsHostHooks gHooks = { xs_fota_ethernet_destructor, mark, NULL };

static void release(Ethernet ethernet)
{
	if (0 == __atomic_sub_fetch(&ethernet->useCount, 1, __ATOMIC_SEQ_CST))
		c_free(ethernet);
}

static void unregisterEvents(Ethernet ethernet)
{
	if (ethernet->onLink)
		esp_event_handler_instance_unregister(ETH_EVENT, ESP_EVENT_ANY_ID, ethernet->onLink);
	if (ethernet->onAddress)
		esp_event_handler_instance_unregister(IP_EVENT, ESP_EVENT_ANY_ID, ethernet->onAddress);
	ethernet->onLink = ethernet->onAddress = NULL;
}

/* Also run by the collector, so no call into XS. */
void xs_fota_ethernet_destructor(void *data)
{
	Ethernet ethernet = data;
	if (!ethernet)
		return;
	ethernet->isClosed = true;
	unregisterEvents(ethernet);
	release(ethernet);
}

/* On the JavaScript task. */
static void deliver(void *machine, void *refcon, uint8_t *message, uint16_t length)
{
	Ethernet ethernet = refcon;
	xsMachine *the = machine;
	uint16_t connection;
	if (sizeof(connection) == length && !ethernet->isClosed) {
		memcpy(&connection, message, sizeof(connection));
		if (connection != ethernet->connection) {
			ethernet->connection = connection;
			xsBeginHost(the);
			xsmcVars(1);
			xsmcSetString(xsVar(0), "connection");
			xsCallFunction1(xsReference(ethernet->onChanged), ethernet->object, xsVar(0));
			xsEndHost(the);
		}
	}
	release(ethernet);
}

static void post(Ethernet ethernet, uint16_t connection)
{
	__atomic_add_fetch(&ethernet->useCount, 1, __ATOMIC_SEQ_CST);
	if (modMessagePostToMachine(ethernet->the, (uint8_t *)&connection, sizeof(connection), deliver, ethernet))
		release(ethernet);
}

/* On the event task. */
static void linkChanged(void *argument, esp_event_base_t base, int32_t event, void *data)
{
	(void)base, (void)data;
	if (ETHERNET_EVENT_CONNECTED == event)
		post(argument, LINKED);
	else if (ETHERNET_EVENT_DISCONNECTED == event)
		post(argument, CONNECTING);
	else if (ETHERNET_EVENT_STOP == event)
		post(argument, DISCONNECTED);
}

static void addressChanged(void *argument, esp_event_base_t base, int32_t event, void *data)
{
	(void)base, (void)data;
	if (IP_EVENT_ETH_GOT_IP == event)
		post(argument, CONNECTED);
	else if (IP_EVENT_ETH_LOST_IP == event)
		post(argument, LINKED);
}

static esp_err_t registerEvents(Ethernet ethernet)
{
	esp_err_t err = esp_event_handler_instance_register(
		ETH_EVENT, ESP_EVENT_ANY_ID, linkChanged, ethernet, &ethernet->onLink);
	return ESP_OK != err ? err : esp_event_handler_instance_register(
		IP_EVENT, ESP_EVENT_ANY_ID, addressChanged, ethernet, &ethernet->onAddress);
}

void xs_fota_ethernet(xsMachine *the)
{
	xsSlot *onChanged = builtinGetCallback(the, xsID_onChanged);
	if (!onChanged)
		xsTypeError("no onChanged");
	fotaThrowIf(the, fotaEthernetOpen());
	Ethernet ethernet = c_calloc(1, sizeof(EthernetRecord));
	if (!ethernet)
		fotaThrowIf(the, ESP_ERR_NO_MEM);
	esp_netif_ip_info_t info;
	ethernet->the = the;
	ethernet->object = xsThis;
	ethernet->onChanged = onChanged;
	ethernet->useCount = 1;
	ethernet->connection = fotaEthernetHasAddress(&info) ? CONNECTED : DISCONNECTED;
	esp_err_t err = registerEvents(ethernet);
	if (ESP_OK != err) {
		xs_fota_ethernet_destructor(ethernet);
		fotaThrowIf(the, err);
	}
	xsmcSetHostData(xsThis, ethernet);
	xsSetHostHooks(xsThis, (xsHostHooks *)&gHooks);
	xsRemember(ethernet->object);
}

static Ethernet toEthernet(xsMachine *the)
{
	return xsmcGetHostDataValidate(xsThis, (void *)&gHooks);
}

void xs_fota_ethernet_close(xsMachine *the)
{
	Ethernet ethernet = xsmcGetHostData(xsThis);
	if (!ethernet)
		return;
	ethernet = toEthernet(the);
	xsForget(ethernet->object);
	xsmcSetHostData(xsThis, NULL);
	xsmcSetHostDestructor(xsThis, NULL);
	xs_fota_ethernet_destructor(ethernet);
}

/* The link comes up by itself then, and DHCP with it. */
void xs_fota_ethernet_connect(xsMachine *the)
{
	Ethernet ethernet = toEthernet(the);
	fotaThrowIf(the, fotaEthernetStart());
	if (DISCONNECTED == ethernet->connection)
		ethernet->connection = CONNECTING;
}

void xs_fota_ethernet_disconnect(xsMachine *the)
{
	Ethernet ethernet = toEthernet(the);
	ethernet->connection = DISCONNECTED;
	fotaThrowIf(the, fotaEthernetStop());
}

void xs_fota_ethernet_connection(xsMachine *the)
{
	xsmcSetInteger(xsResult, toEthernet(the)->connection);
}

void xs_fota_ethernet_address(xsMachine *the)
{
	esp_netif_ip_info_t info;
	char text[16];
	toEthernet(the);
	if (fotaEthernetHasAddress(&info) && esp_ip4addr_ntoa(&info.ip, text, sizeof(text)))
		xsmcSetString(xsResult, text);
}

void xs_fota_ethernet_mac(xsMachine *the)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[6];
	char text[18];
	toEthernet(the);
	fotaThrowIf(the, esp_read_mac(mac, ESP_MAC_ETH));
	for (int i = 0; i < 6; i++) {
		text[3 * i] = digits[mac[i] >> 4];
		text[3 * i + 1] = digits[mac[i] & 15];
		text[3 * i + 2] = i < 5 ? ':' : 0;
	}
	xsmcSetString(xsResult, text);
}
