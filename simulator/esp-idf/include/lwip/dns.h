/* The part of lwip's resolver, and of its addresses, that src/native uses; idf-names.c has it. */
#ifndef FOTA_LWIP_DNS_H
#define FOTA_LWIP_DNS_H

#include <stdint.h>

#define ERR_OK 0
#define ERR_MEM -1
#define ERR_INPROGRESS -5
#define ERR_ARG -16
#define DNS_MAX_HOST_IP 1
#define LWIP_DNS_ADDRTYPE_IPV4 0
#define IPADDR_TYPE_V4 0
#define IP_IS_V4(ip) ((ip)->type == IPADDR_TYPE_V4)
#define ip_2_ip4(ip) (&(ip)->u_addr.ip4)

typedef int8_t err_t;

/* In network order. */
typedef struct {
	uint32_t addr;
} ip4_addr_t;

typedef struct {
	union {
		uint32_t ip6[4];
		ip4_addr_t ip4;
	} u_addr;
	uint8_t type;
} ip_addr_t;

typedef void (*dns_found_callback)(const char *name, const ip_addr_t *ipaddr, void *callback_arg);

err_t dns_gethostbyname_addrtype(const char *hostname, ip_addr_t *addr, dns_found_callback found, void *callback_arg,
                                 uint8_t dns_addrtype);
char *ip4addr_ntoa_r(const ip4_addr_t *addr, char *buf, int buflen);

#endif
