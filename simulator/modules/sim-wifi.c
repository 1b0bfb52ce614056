/*
 * C of the Wi-Fi stand-in: the access point that --wifi and its companions describe, and whether the station has an
 * address, which is what the sockets want to know.
 */
#include "xsmc.h"

#include <string.h>

#include "chip.h"
#include "sim-socket.h"

static uint64_t outage_end(const struct chip_outages *outages)
{
	uint64_t now = chip_clock_us();
	for (uint32_t i = 0; i < outages->count; i++) {
		if (now >= outages->outage[i].from_us && now < outages->outage[i].to_us)
			return outages->outage[i].to_us;
	}
	return 0;
}

void xs_wifi_is_wired(xsMachine *the)
{
	xsmcSetBoolean(xsResult, chip->options.wifi_ssid == NULL);
}

/* Milliseconds from connect to the association. */
void xs_wifi_delay(xsMachine *the)
{
	xsmcSetInteger(xsResult, (xsIntegerValue)(chip->options.wifi_delay_us / 1000u));
}

/* In dBm. */
void xs_wifi_rssi(xsMachine *the)
{
	xsmcSetInteger(xsResult, (xsIntegerValue)chip->options.wifi_rssi_dbm);
}

static bool is_there(void)
{
	return chip->options.wifi_ssid && outage_end(&chip->options.wifi_away) == 0;
}

void xs_wifi_is_there(xsMachine *the)
{
	xsmcSetBoolean(xsResult, is_there());
}

void xs_wifi_has_dhcp(xsMachine *the)
{
	xsmcSetBoolean(xsResult, outage_end(&chip->options.dhcp_away) == 0);
}

/* "joined", "absent" or "refused". */
void xs_wifi_offer(xsMachine *the)
{
	char ssid[33], password[65];
	xsmcToStringBuffer(xsArg(0), ssid, sizeof(ssid));
	xsmcToStringBuffer(xsArg(1), password, sizeof(password));
	if (!is_there() || strcmp(ssid, chip->options.wifi_ssid) != 0)
		xsmcSetString(xsResult, "absent");
	else if (strcmp(password, chip->options.wifi_password) != 0)
		xsmcSetString(xsResult, "refused");
	else
		xsmcSetString(xsResult, "joined");
}

static void add_edges(const struct chip_outages *outages, uint64_t now, uint64_t *next)
{
	for (uint32_t i = 0; i < outages->count; i++) {
		const struct chip_outage *outage = &outages->outage[i];
		if (outage->from_us > now && outage->from_us < *next)
			*next = outage->from_us;
		if (outage->to_us > now && outage->to_us < *next)
			*next = outage->to_us;
	}
}

/* Milliseconds to the next coming or going, 0: none. At most a day, as a timer takes it. */
void xs_wifi_next_change(xsMachine *the)
{
	uint64_t now = chip_clock_us(), next = UINT64_MAX;
	add_edges(&chip->options.wifi_away, now, &next);
	add_edges(&chip->options.dhcp_away, now, &next);
	uint64_t ms = next == UINT64_MAX ? 0 : (next - now) / 1000u + 1u;
	xsmcSetInteger(xsResult, (xsIntegerValue)(ms < 86400000u ? ms : 86400000u));
}

void xs_wifi_set_up(xsMachine *the)
{
	sim_network_set_wifi_up(xsmcToBoolean(xsArg(0)));
}
