/* Network interfaces: the only thing asked is whether there are any. */
#ifndef FOTA_ESP_NETIF_H
#define FOTA_ESP_NETIF_H

#include <stddef.h>

size_t esp_netif_get_nr_of_ifs(void);

#endif
