/* C of the "net" stand-in: what --resolve says of a name, and addresses that are numbers. */
#include "xsmc.h"

#include <arpa/inet.h>
#include <string.h>

#include "chip.h"
#include "sim-socket.h"

void xs_net_is_up(xsMachine *the)
{
	xsmcSetBoolean(xsResult, !sim_network_is_down());
}

/* The address that the name is, as lwip writes it ("127.1" is 127.0.0.1); undefined: it is a name. */
void xs_net_numeric(xsMachine *the)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;
	if (inet_aton(xsmcToString(xsArg(0)), &address) && inet_ntop(AF_INET, &address, text, sizeof(text)))
		xsmcSetString(xsResult, text);
}

/* An address, "never", or undefined: no such name, or no network to ask in. */
void xs_net_lookup(xsMachine *the)
{
	const char *name = xsmcToString(xsArg(0));
	size_t length = strlen(name);
	const char *found = NULL;
	if (sim_network_is_down())
		return;
	if (!strcmp(name, "localhost"))
		found = "127.0.0.1";
	for (uint32_t i = 0; i < chip->options.name_count; i++) {
		const char *entry = chip->options.name[i];
		if (!strncmp(entry, name, length) && entry[length] == '=')
			found = entry + length + 1;
	}
	if (found)
		xsmcSetString(xsResult, (xsStringValue)found);
}
