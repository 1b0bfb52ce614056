/*
 * lwip's resolver under its own names: knows what --resolve says, and localhost. Of a number nobody is asked, it is the
 * answer, without a network too. Else the answer comes later, from the event loop; a name that nobody knows takes as long
 * as all tries take, and what an earlier question asked is not waited for.
 */
#include "idf-names.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"
#include "esp_netif.h"
#include "lwip/tcpip.h"
#include "modules/sim-socket.h"

#define TABLE_SIZE 4 /* DNS_TABLE_SIZE */
#define NAME_BYTES 256 /* DNS_MAX_NAME_LENGTH */
#define ANSWER_US 20000u
#define UNKNOWN_US 4000000u

struct question {
	bool is_asked;
	bool is_never;
	bool is_known;
	uint64_t due_us;
	ip_addr_t address;
	dns_found_callback found;
	void *arg;
};

static struct question questions[TABLE_SIZE];

err_t tcpip_try_callback(tcpip_callback_fn function, void *ctx)
{
	if (esp_netif_get_nr_of_ifs() == 0) {
		chip_log("cpu", "assert failed: tcpip_try_callback (Invalid mbox)");
		abort();
	}
	function(ctx);
	return ERR_OK;
}

static bool to_address(const char *text, ip_addr_t *address)
{
	struct in_addr parsed;
	if (!inet_aton(text, &parsed))
		return false;
	*address = (ip_addr_t){ .u_addr.ip4.addr = parsed.s_addr, .type = IPADDR_TYPE_V4 };
	return true;
}

/* What --resolve has for it; NULL: unknown, or there is no network to ask in. */
static const char *find(const char *name)
{
	size_t length = strlen(name);
	const char *found = NULL;
	if (sim_network_is_down())
		return NULL;
	for (uint32_t i = 0; i < chip->options.name_count; i++) {
		const char *entry = chip->options.name[i];
		if (!strncmp(entry, name, length) && entry[length] == '=')
			found = entry + length + 1;
	}
	return found;
}

static struct question *find_unused(void)
{
	for (int i = 0; i < TABLE_SIZE; i++) {
		if (!questions[i].is_asked)
			return &questions[i];
	}
	return NULL;
}

err_t dns_gethostbyname_addrtype(const char *hostname, ip_addr_t *addr, dns_found_callback found, void *callback_arg,
                                 uint8_t dns_addrtype)
{
	if (!hostname[0] || strlen(hostname) >= NAME_BYTES || dns_addrtype != LWIP_DNS_ADDRTYPE_IPV4)
		return ERR_ARG;
	if (to_address(strcmp(hostname, "localhost") ? hostname : "127.0.0.1", addr))
		return ERR_OK;
	struct question *question = find_unused();
	if (!question)
		return ERR_MEM;
	const char *known = find(hostname);
	*question = (struct question){ .is_asked = true, .found = found, .arg = callback_arg };
	question->is_never = known && !strcmp(known, "never");
	question->is_known = known && to_address(known, &question->address);
	question->due_us = chip_clock_us() + (question->is_known ? ANSWER_US : UNKNOWN_US);
	return ERR_INPROGRESS;
}

char *ip4addr_ntoa_r(const ip4_addr_t *addr, char *buf, int buflen)
{
	struct in_addr address = { .s_addr = addr->addr };
	return (char *)(uintptr_t)inet_ntop(AF_INET, &address, buf, (socklen_t)buflen);
}

void idf_names_run(void)
{
	for (int i = 0; i < TABLE_SIZE; i++) {
		struct question *question = &questions[i];
		if (!question->is_asked || question->is_never || chip_clock_us() < question->due_us)
			continue;
		question->is_asked = false;
		question->found(NULL, question->is_known ? &question->address : NULL, question->arg);
	}
}
