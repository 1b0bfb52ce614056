/*
 * The one Ethernet port with DHCP, over ESP-IDF's driver. The MAC is QEMU's OpenCores device
 * where sdkconfig names it, else the ESP32's own with an RMII PHY, whose pins and address are
 * the manifest's `defines.fotaEthernet` (mdc_pin, mdio_pin, phy_address, phy_reset_pin).
 * Once open it stays; it knows no JavaScript.
 */
#ifndef FOTA_ETHERNET_DRIVER_H
#define FOTA_ETHERNET_DRIVER_H

#include <stdbool.h>

#include "esp_err.h"
#include "esp_netif.h"

/* Once; after a failure all of it may be tried again. */
esp_err_t fotaEthernetOpen(void);
/* Link and address come later, as ESP-IDF's events. No effect if it is started. */
esp_err_t fotaEthernetStart(void);
esp_err_t fotaEthernetStop(void);
/* False, also before it is open, without an IPv4 address. */
bool fotaEthernetHasAddress(esp_netif_ip_info_t *info);

#endif
