/* The options that describe the network around the device: Wi-Fi, names, datagrams; used by options.c alone. */
#ifndef FOTA_OPTION_NETWORK_H
#define FOTA_OPTION_NETWORK_H

#include "option-values.h"

void option_set_wifi(struct option_parser *parser);
void option_set_wifi_delay(struct option_parser *parser);
void option_set_wifi_rssi(struct option_parser *parser);
void option_add_wifi_away(struct option_parser *parser);
void option_add_dhcp_away(struct option_parser *parser);
void option_add_name(struct option_parser *parser);
void option_add_udp_lead(struct option_parser *parser);
void option_add_tcp_lead(struct option_parser *parser);

#endif
