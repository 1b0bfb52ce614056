/* Messages to lwip's task; idf-names.c has it. Here there is one task, so what is asked for is done at once. */
#ifndef FOTA_LWIP_TCPIP_H
#define FOTA_LWIP_TCPIP_H

#include "lwip/dns.h"

typedef void (*tcpip_callback_fn)(void *ctx);

err_t tcpip_try_callback(tcpip_callback_fn function, void *ctx);

#endif
