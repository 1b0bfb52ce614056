/* C of the "net" stand-in: what --resolve says of a name. */
#include "xsmc.h"

#include <string.h>

#include "chip.h"
#include "sim-socket.h"

void xs_net_is_up(xsMachine *the)
{
	xsmcSetBoolean(xsResult, !sim_network_is_down());
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
