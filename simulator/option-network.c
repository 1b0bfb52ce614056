/* See option-network.h. */
#include "option-network.h"

#include <stdio.h>
#include <string.h>

/* SSID or SSID:PASSWORD; the value lives as long as the program, so it is cut in place. */
void option_set_wifi(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	char *colon = strchr(parser->value, ':');
	size_t ssid_bytes = colon ? (size_t)(colon - parser->value) : strlen(parser->value);
	size_t password_bytes = colon ? strlen(colon + 1) : 0;
	if (ssid_bytes < 1 || ssid_bytes > 32 || (colon && (password_bytes < 8 || password_bytes > 63))) {
		option_complain(parser, "SSID or SSID:PASSWORD, 1 to 32 and 8 to 63 bytes");
		return;
	}
	options->wifi_ssid = parser->value;
	options->wifi_password = "";
	if (colon) {
		*colon = 0;
		options->wifi_password = colon + 1;
	}
}

void option_set_wifi_delay(struct option_parser *parser)
{
	parser->chip->options.wifi_delay_us = option_seconds(parser);
}

void option_set_wifi_rssi(struct option_parser *parser)
{
	int dbm = 0;
	char rest;
	if (sscanf(parser->value, "%4d%c", &dbm, &rest) == 1 && dbm >= -128 && dbm <= 0)
		parser->chip->options.wifi_rssi_dbm = dbm;
	else
		option_complain(parser, "a whole number from -128 to 0");
}

void option_add_wifi_away(struct option_parser *parser)
{
	option_add_to(parser, &parser->chip->options.wifi_away);
}

void option_add_dhcp_away(struct option_parser *parser)
{
	option_add_to(parser, &parser->chip->options.dhcp_away);
}

void option_add_name(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	const char *equals = strchr(parser->value, '=');
	if (options->name_count == CHIP_NAMES_MAX || !equals || equals == parser->value || strlen(equals + 1) > 39)
		option_complain(parser, "NAME=ADDRESS or NAME=never (at most 8 times)");
	else
		options->name[options->name_count++] = parser->value;
}

/* PORT=PORT_OF_THE_HOST. False after a complaint. */
static bool read_lead(struct option_parser *parser, bool has_room, uint16_t *port, uint16_t *host_port)
{
	unsigned from = 0, to = 0;
	char rest;
	bool is_good = has_room && sscanf(parser->value, "%5u=%5u%c", &from, &to, &rest) == 2 && from >= 1
		&& from <= 65535 && to >= 1 && to <= 65535;
	if (!is_good)
		option_complain(parser, "PORT=PORT_OF_THE_HOST (at most 4 times)");
	*port = (uint16_t)from;
	*host_port = (uint16_t)to;
	return is_good;
}

void option_add_udp_lead(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	struct chip_udp_lead lead;
	if (read_lead(parser, options->udp_lead_count < CHIP_UDP_LEADS_MAX, &lead.port, &lead.host_port))
		options->udp_lead[options->udp_lead_count++] = lead;
}

void option_add_tcp_lead(struct option_parser *parser)
{
	struct chip *chip = parser->chip;
	struct chip_tcp_lead lead;
	if (read_lead(parser, chip->tcp_lead_count < CHIP_TCP_LEADS_MAX, &lead.port, &lead.host_port))
		chip->tcp_lead[chip->tcp_lead_count++] = lead;
}
