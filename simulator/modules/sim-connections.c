/* See sim-connections.h. */
#include "sim-connections.h"

#include <stdlib.h>
#include <unistd.h>

#include "chip.h"
#include "clock.h"
#include "sim-listening.h"

#define BACKLOG_MAX 8u
/* Of virtual time: who looks again so soon is waiting for something. */
#define ASKED_US 30000u
/* Under the link model real silence must last that long before virtual time may jump: the firmware
 * looks every few milliseconds, and many short steps are a time-out too. The short one is for an answer
 * that has begun, since nobody here knows whether that was all of it. */
#define LONG_SILENCE_US 5000000u
#define SHORT_SILENCE_US 500000u

struct sim_port {
	struct sim_port *next;
	int fd;
	uint16_t port;
	uint32_t backlog;
	uint32_t waiting_count;
	struct sim_socket *waiting[BACKLOG_MAX];
};

struct connection {
	struct connection *next;
	struct sim_socket *socket;
	bool is_taken;
};

static struct sim_port *first_port;
static struct connection *first_connection;
static bool was_down;
static uint64_t asked_real_us;

struct sim_port *sim_port_open(uint16_t number, uint32_t backlog)
{
	for (struct sim_port *port = first_port; port; port = port->next) {
		if (port->port == number)
			return NULL;
	}
	int fd = sim_listening_open(number);
	if (fd < 0)
		return NULL;
	struct sim_port *port = calloc(1, sizeof(*port));
	if (!port)
		abort();
	*port = (struct sim_port){ .next = first_port, .fd = fd, .port = number };
	port->backlog = backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX;
	first_port = port;
	return port;
}

static void add(struct sim_socket *socket, bool is_taken)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		abort();
	*connection = (struct connection){ .next = first_connection, .socket = socket, .is_taken = is_taken };
	first_connection = connection;
}

struct sim_socket *sim_connection_open(const char *address, uint16_t port)
{
	struct sim_socket *socket = sim_socket_new();
	if (!sim_socket_open(socket, address, port))
		abort(); /* it was written by inet_ntop */
	add(socket, true);
	return socket;
}

static struct connection **link_of(const struct sim_socket *socket)
{
	struct connection **link = &first_connection;
	while ((*link)->socket != socket)
		link = &(*link)->next;
	return link;
}

static void forget(struct sim_socket *socket, bool is_reset)
{
	struct connection **link = link_of(socket);
	struct connection *connection = *link;
	*link = connection->next;
	free(connection);
	sim_socket_close(socket, is_reset);
	sim_socket_free(socket);
}

void sim_port_close(struct sim_port *port)
{
	struct sim_port **link = &first_port;
	while (*link != port)
		link = &(*link)->next;
	*link = port->next;
	while (port->waiting_count)
		forget(port->waiting[--port->waiting_count], true);
	close(port->fd);
	free(port);
}

struct sim_socket *sim_port_take(struct sim_port *port)
{
	if (port->waiting_count == 0)
		return NULL;
	struct sim_socket *socket = port->waiting[0];
	port->waiting_count--;
	for (uint32_t i = 0; i < port->waiting_count; i++)
		port->waiting[i] = port->waiting[i + 1];
	(*link_of(socket))->is_taken = true;
	return socket;
}

void sim_connection_drop(struct sim_socket *socket)
{
	forget(socket, socket->held_bytes > 0);
}

static void accept_all(struct sim_port *port)
{
	while (port->waiting_count < port->backlog) {
		int fd = sim_listening_accept(port->fd);
		if (fd < 0)
			return;
		struct sim_socket *socket = sim_socket_new();
		sim_socket_adopt(socket, fd);
		add(socket, false);
		port->waiting[port->waiting_count++] = socket;
	}
}

static void lose_all(void)
{
	for (struct connection *connection = first_connection; connection; connection = connection->next) {
		sim_socket_close(connection->socket, true);
		connection->socket->has_ended = true;
		connection->socket->is_reset = true;
		connection->socket->end_us = 0;
	}
}

void sim_connections_run(void)
{
	bool is_down = sim_network_is_down();
	if (is_down && !was_down && (chip->options.network_loss_resets || sim_network_lacks_wifi()))
		lose_all();
	was_down = is_down;
	if (!is_down && first_port && clock_may_ask_host(&asked_real_us)) {
		for (struct sim_port *port = first_port; port; port = port->next)
			accept_all(port);
	}
	for (struct connection *connection = first_connection; connection; connection = connection->next)
		sim_socket_pump(connection->socket);
}

bool sim_connections_are_waiting(void)
{
	bool is_open = false;
	for (struct connection *connection = first_connection; connection; connection = connection->next)
		is_open |= !connection->socket->has_ended;
	return is_open && !sim_network_is_down();
}

/* One of the device's own that is kept, and not looked at, says nothing that anybody waits for. */
static bool is_wanted(const struct connection *connection, uint64_t next_us)
{
	const struct sim_socket *socket = connection->socket;
	return connection->is_taken && (socket->is_inbound || next_us - socket->asked_us < ASKED_US);
}

static uint64_t silence_us(const struct sim_socket *socket)
{
	return socket->is_inbound || socket->is_awaiting ? LONG_SILENCE_US : SHORT_SILENCE_US;
}

uint64_t sim_connections_expect_for(uint64_t next_us)
{
	uint64_t longest = 0;
	for (struct connection *connection = first_connection; connection; connection = connection->next) {
		/* What the application has not looked at yet needs the next step, not patience. */
		if (!is_wanted(connection, next_us) || sim_socket_available(connection->socket) > 0)
			continue;
		uint64_t patience = sim_socket_patience(connection->socket, next_us, silence_us(connection->socket));
		longest = patience > longest ? patience : longest;
	}
	return longest;
}

bool sim_connections_have_news(uint64_t next_us)
{
	bool has_news = false;
	for (struct connection *connection = first_connection; connection; connection = connection->next) {
		const struct sim_socket *socket = connection->socket;
		if (socket->is_inbound)
			return false;
		if (!is_wanted(connection, next_us))
			continue;
		if (sim_socket_available(socket) == 0 && !socket->has_ended)
			return false;
		has_news = true;
	}
	return has_news && !sim_network_is_down();
}

nfds_t sim_connections_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit)
{
	for (struct connection *connection = first_connection; connection && count < limit; connection = connection->next) {
		short events = sim_socket_poll_events(connection->socket);
		if (events)
			polls[count++] = (struct pollfd){ connection->socket->fd, events, 0 };
	}
	for (struct sim_port *port = first_port; port && count < limit; port = port->next) {
		if (port->waiting_count < port->backlog && !sim_network_is_down())
			polls[count++] = (struct pollfd){ port->fd, POLLIN, 0 };
	}
	return count;
}

uint64_t sim_connections_patience_us(void)
{
	return first_port ? sim_listening_patience_us() : 0;
}
