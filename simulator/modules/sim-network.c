/* The state of the network the device is in: outages, Wi-Fi, and whether its link is modelled. */
#include "chip.h"
#include "sim-socket.h"

static bool is_wifi_up;
static bool was_wifi_up;

bool sim_link_is_modelled(void)
{
	return chip->options.link_rate > 0 || chip->options.link_rtt_us > 0;
}

void sim_network_set_wifi_up(bool is_up)
{
	is_wifi_up = is_up;
	was_wifi_up |= is_up;
}

bool sim_network_has_interface(void)
{
	return !chip->options.wifi_ssid || was_wifi_up;
}

bool sim_network_lacks_wifi(void)
{
	return chip->options.wifi_ssid && !is_wifi_up;
}

bool sim_network_is_down(void)
{
	uint64_t now = chip_clock_us();
	for (uint32_t i = 0; i < chip->options.outage_count; i++) {
		const struct chip_outage *outage = &chip->options.outage[i];
		if (now >= outage->from_us && now < outage->to_us)
			return true;
	}
	return sim_network_lacks_wifi();
}
