/*
 * One TCP connection of the simulated device over a socket of the host: connecting,
 * receiving with a window, sending, and the model of the link's time (--link-rate,
 * --link-rtt, --tcp-window). Called by sim-connections.c and idf-sockets.c; knows nothing of XS.
 */
#ifndef FOTA_SIM_SOCKET_H
#define FOTA_SIM_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_SEGMENT_BYTES 1436u
#define SIM_SEND_BYTES 5744u /* TCP_SND_BUF of ESP-IDF */
#define SIM_CONSUMPTIONS 256u

struct sim_segment {
	struct sim_segment *next;
	uint64_t arrival_us;
	uint32_t length;
	uint32_t offset; /* bytes the application has read */
	uint8_t bytes[];
};

struct sim_consumption {
	uint64_t total_bytes; /* read by the application up to time_us */
	uint64_t time_us;
};

struct sim_socket {
	int fd; /* -1: closed */
	uint32_t number; /* of the connection in this run, over all boots, from 1; 0: none */
	bool is_connecting;
	bool is_connected; /* set by the pump at ready_us */
	bool has_handshake; /* the host's connect is done; usable from ready_us */
	bool has_ended; /* the peer closed, or the connection failed */
	bool is_reset; /* ended by a reset, or lost */
	bool is_awaiting; /* something was sent and nothing came back since */
	bool is_inbound; /* the other side opened it */
	uint64_t ready_us;
	uint64_t end_us;
	uint64_t asked_us; /* when the application last read or wrote, or tried to */
	struct sim_segment *first;
	struct sim_segment *last;
	uint32_t held_bytes; /* taken from the host, not yet read */
	uint64_t received_bytes;
	uint64_t consumed_bytes;
	uint64_t last_arrival_us;
	uint64_t not_before_us; /* no answer to the last send earlier than this */
	uint32_t unacknowledged_bytes;
	uint64_t acknowledged_us; /* link model: when the last send is acknowledged */
	uint64_t real_activity_us; /* host time of the last send or receipt */
	uint32_t consumption_count;
	struct sim_consumption consumption[SIM_CONSUMPTIONS];
};

struct sim_socket *sim_socket_new(void);
void sim_socket_free(struct sim_socket *socket);

bool sim_link_is_modelled(void);
/* --network-down, --wifi: whether the network is gone at this moment. */
bool sim_network_is_down(void);
/* The station of --wifi has an address, or has lost it. */
void sim_network_set_wifi_up(bool is_up);
/* An interface was started, which brings the network stack up for good. */
bool sim_network_has_interface(void);
/* --wifi, and the station has no address: open connections are lost. */
bool sim_network_lacks_wifi(void);

/* Starts to connect. False: the address is none. A refused connection ends later. */
bool sim_socket_open(struct sim_socket *socket, const char *address, uint16_t port);
void sim_socket_close(struct sim_socket *socket, bool is_reset);

/* Moves what can move between host and device without waiting. */
void sim_socket_pump(struct sim_socket *socket);

/* Bytes that have arrived by now and can be read. */
uint32_t sim_socket_available(const struct sim_socket *socket);
/* Takes exactly `length` bytes, at most what is available. */
void sim_socket_read(struct sim_socket *socket, uint8_t *bytes, uint32_t length);
/* Room to send. False from write: the connection is broken. */
uint32_t sim_socket_room(const struct sim_socket *socket);
bool sim_socket_write(struct sim_socket *socket, const uint8_t *bytes, uint32_t length);

/* What to poll the host for: POLLIN, POLLOUT or 0. */
short sim_socket_poll_events(const struct sim_socket *socket);
/* Real µs to go on waiting for the peer before virtual time may jump to next_us. */
uint64_t sim_socket_patience(const struct sim_socket *socket, uint64_t next_us, uint64_t silence_us);

#endif
