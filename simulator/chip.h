/*
 * chip.h: the simulated chip. One struct in memory shared by the parent (power
 * supply, reset line, watchdog) and the child it forks for every boot (ROM,
 * bootloader, application). Whatever is in here survives a reset; everything
 * else is RAM and is gone with the child.
 *
 * This header is the contract between simulator/ (process, clock, serial line,
 * XS, Moddable modules) and simulator/esp-idf/ + bootloader.c (flash and the
 * ESP-IDF functions over it). It knows nothing of XS, sockets or updates.
 */
#ifndef XS_FOTA_CHIP_H
#define XS_FOTA_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHIP_SECTOR_BYTES 4096u
#define CHIP_BLOCK_BYTES 65536u
#define CHIP_PAGE_BYTES 256u

/* What a flash operation costs while options.flash_timing is on. */
#define CHIP_ERASE_SECTOR_US 45000u
#define CHIP_ERASE_BLOCK_US 150000u
#define CHIP_PROGRAM_PAGE_US 700u

#define CHIP_FAULTS_MAX 64u
#define CHIP_UNTIL_MAX 16u
#define CHIP_OUTAGES_MAX 16u
#define CHIP_NAMES_MAX 8u
#define CHIP_UDP_LEADS_MAX 4u
#define CHIP_TCP_LEADS_MAX 4u
#define CHIP_RESETS_MAX 256u
#define CHIP_LINE_MAX 1024u

/* The numbers of esp_chip_id_t, as image headers carry them. */
enum chip_id { CHIP_ID_ESP32 = 0x0000, CHIP_ID_ESP32C3 = 0x0005, CHIP_ID_ESP32S3 = 0x0009 };

/* The numbers of esp_reset_reason_t. */
enum chip_reset {
	CHIP_RESET_UNKNOWN = 0,
	CHIP_RESET_POWERON = 1,
	CHIP_RESET_SW = 3,
	CHIP_RESET_PANIC = 4,
	CHIP_RESET_TASK_WDT = 6,
	CHIP_RESET_BROWNOUT = 9,
};

enum chip_moment { CHIP_BEFORE = 0, CHIP_HALF = 1, CHIP_AFTER = 2 };

enum chip_fault_kind { CHIP_FAULT_CUT = 0, CHIP_FAULT_BROWNOUT = 1, CHIP_FAULT_FAIL = 2 };

/* Erase of one sector or block, program of up to one page run: each one operation. */
struct chip_fault {
	uint64_t operation; /* 1-based number of the flash operation in this run */
	uint64_t count; /* CHIP_FAULT_FAIL: how many operations from there on fail; else 1 */
	uint32_t kind; /* enum chip_fault_kind */
	uint32_t moment; /* enum chip_moment, for CUT and BROWNOUT */
};

struct chip_flash_stats { /* kept by esp-idf/ */
	uint64_t erase_sector_count;
	uint64_t erase_block_count;
	uint64_t program_count; /* program operations */
	uint64_t programmed_bytes;
	uint64_t erased_bytes;
	uint64_t read_bytes;
	uint64_t nvs_write_count; /* values set or erased in NVS (not flash operations) */
	uint64_t rule_break_count; /* programs that asked for a 0 bit to become 1 */
	uint64_t failed_count; /* operations failed by --fail-op */
	/* --measure-memory: kept by the simulator, set by the first erase through
	 * chip_before_first_erase(). */
	uint64_t first_erase_operation;
};

struct chip_network_stats {
	uint64_t connect_count;
	uint64_t tx_bytes;
	uint64_t rx_bytes;
	uint64_t held_peak_bytes; /* received and not yet read by the application, at most */
};

struct chip_memory_stats {
	uint64_t slots_peak; /* XS slots in use at the highest, counted (× 16 B on a chip) */
	uint64_t chunk_peak_bytes;
	uint64_t stack_slots_peak;
	uint64_t code_bytes; /* bytecode and symbols of the application: flash on a chip */
	uint64_t live_peak_bytes; /* --measure-memory: after a collection, slots×16 + chunks + native */
	uint64_t live_peak_slots;
	uint64_t live_peak_chunk_bytes;
	uint64_t idle_bytes; /* the last turn before the run's first flash erase */
	uint64_t idle_minimum_bytes; /* the smallest figure after start-up */
	uint64_t native_bytes; /* malloc by src/native and stand-ins, now */
	uint64_t native_peak_bytes;
	uint64_t native_boot_peak_bytes; /* the same, since this boot */
};

struct chip_reset_record {
	uint64_t virtual_ms;
	uint32_t reason; /* enum chip_reset */
};

struct chip_outage {
	uint64_t from_us;
	uint64_t to_us;
};

struct chip_outages {
	uint32_t count;
	struct chip_outage outage[CHIP_OUTAGES_MAX];
};

/* --udp-to: datagrams to `port` go to `host_port` of the host. */
struct chip_udp_lead {
	uint16_t port;
	uint16_t host_port;
};

/* --listen: connections to `host_port` of the host come to the device's `port`. */
struct chip_tcp_lead {
	uint16_t port;
	uint16_t host_port; /* 0: not known yet */
};

/* What the bootloader found; valid in the child after bootloader_select() == 0. */
struct chip_booted {
	uint32_t slot_offset; /* of the app partition, in flash */
	uint32_t slot_bytes;
	uint32_t payload_offset; /* in flash: segment 0 behind its 256-byte esp_app_desc_t */
	uint32_t payload_bytes;
	char label[17];
};

struct chip_options {
	bool flash_timing; /* flash operations take CHIP_*_US of virtual time */
	bool fast; /* virtual clock */
	uint32_t pace; /* virtual seconds that pass in a real one where time would jump, 0: it jumps */
	bool measure_memory;
	bool cut_stays_off;
	bool network_loss_resets; /* --network-loss reset (else stall) */
	uint64_t link_rate; /* bytes per second, 0: no model of the link */
	uint64_t link_rtt_us;
	uint64_t tcp_window_bytes;
	uint64_t max_us; /* virtual time, 0: none */
	int64_t epoch_us; /* Unix time the clock shows at power-on, 0 as on the chip */
	uint64_t clock_jump_at_us;
	int64_t clock_jump_us; /* added to the wall clock from clock_jump_at_us on */
	uint32_t watchdog_ms; /* processor time of the child */
	uint32_t heap_slots; /* 0: the heap grows */
	uint32_t heap_chunk_bytes;
	uint32_t stack_slots;
	int serial_fd;
	int capture_fd; /* --capture, -1: none */
	uint32_t until_count;
	const char *until[CHIP_UNTIL_MAX];
	uint32_t outage_count;
	struct chip_outage outage[CHIP_OUTAGES_MAX];
	const char *wifi_ssid; /* --wifi; NULL: a wired device */
	const char *wifi_password; /* empty: an open network */
	uint64_t wifi_delay_us; /* from connect to the association */
	int32_t wifi_rssi_dbm; /* of the access point */
	struct chip_outages wifi_away; /* no access point */
	struct chip_outages dhcp_away; /* associated, but no address is given */
	uint32_t name_count;
	const char *name[CHIP_NAMES_MAX]; /* --resolve NAME=ADDRESS, or NAME=never */
	uint32_t udp_lead_count;
	struct chip_udp_lead udp_lead[CHIP_UDP_LEADS_MAX];
};

/* Why the run (not the boot) is over. */
enum chip_end {
	CHIP_END_NONE = 0,
	CHIP_END_UNTIL, /* a line matched --until */
	CHIP_END_STUCK, /* --max-seconds of virtual time passed */
	CHIP_END_WALL, /* --max-wall-seconds passed */
	CHIP_END_NO_IMAGE, /* the bootloader found nothing to boot */
	CHIP_END_BOOT_LOOP, /* --max-boots passed */
	CHIP_END_BOOTS, /* --boots reached */
	CHIP_END_CUT, /* power cut and --cut-stays-off */
	CHIP_END_SIGNAL, /* SIGTERM or SIGINT */
	CHIP_END_INTERNAL, /* the simulator itself failed */
};

struct chip {
	/* Hardware. flash is a MAP_SHARED mapping of the flash file: same address in
	 * parent and child. Write to it through chip_flash_* only. */
	uint8_t *flash;
	uint32_t flash_bytes;
	uint32_t chip_id; /* enum chip_id */
	uint8_t mac[6];
	uint64_t random_state[2]; /* chip_random() only */
	bool mac_is_set;

	uint32_t reset_reason; /* of the current boot, enum chip_reset: esp_reset_reason() */
	uint32_t boot_count; /* 1 during the first boot */
	uint32_t next_reset; /* how the child ended, enum chip_reset; the parent reads it */
	uint32_t end; /* enum chip_end; set by the child to stop the run */
	uint32_t until_index; /* which --until matched */
	uint32_t heartbeat; /* counts event-loop turns: the task watchdog */
	uint32_t rtc[16]; /* free for esp-idf/: memory that survives a reset but not a power cut */

	/* Clock, in microseconds of virtual time since the run began. */
	uint64_t now_us;
	uint64_t boot_us; /* when the current boot began */
	int64_t wall_offset_us; /* Unix time minus now_us; --epoch at every power-on */
	uint64_t real_zero_us; /* CLOCK_MONOTONIC at the run's begin */

	/* Flash operations in this run, over all boots (esp-idf/ counts), and faults. */
	uint64_t operation_count;
	uint32_t fault_count;
	struct chip_fault fault[CHIP_FAULTS_MAX];

	struct chip_booted booted;
	uint32_t tcp_lead_count; /* ports that were listened on, over all boots */
	struct chip_tcp_lead tcp_lead[CHIP_TCP_LEADS_MAX];
	struct chip_options options;
	struct chip_flash_stats flash_stats;
	struct chip_network_stats network_stats;
	struct chip_memory_stats memory_stats;
	uint32_t reset_count;
	struct chip_reset_record reset[CHIP_RESETS_MAX];

	uint32_t line_length;
	char line[CHIP_LINE_MAX]; /* the serial line being printed */
};

extern struct chip *chip;

/* --- Provided by the simulator (process, serial, clock, random) --- */

/* The child is gone and the chip starts again with that reason. Never returns. */
_Noreturn void chip_reset(enum chip_reset reason);
/* Power is gone, now: POWERON (or BROWNOUT) at the next boot, or the run ends. */
_Noreturn void chip_power_cut(enum chip_fault_kind kind);

/* Serial line. chip_print: as the firmware prints, no newline added.
 * chip_log: one line of ROM or bootloader ("rom" / "boot" / "cpu" as source). */
void chip_print(const char *text, size_t length);
void chip_vprintf(const char *format, __builtin_va_list arguments);
void chip_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void chip_log(const char *source, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Virtual time: since the run began, since this boot (esp_timer_get_time). */
uint64_t chip_clock_us(void);
uint64_t chip_uptime_us(void);
/* The caller was busy for that long. Call it after the operation's effect. */
void chip_clock_advance_us(uint64_t us);

/* Seeded by --seed, or from the host. Survives resets so that boots differ. */
uint32_t chip_random(void);
void chip_random_fill(void *buffer, size_t bytes);

/* esp-idf/ calls it at the start of every erase operation: the idle figure is
 * what was live at the last turn before the first. */
void chip_before_erase(void);

/* --- Provided by simulator/esp-idf/ and simulator/bootloader.c --- */

/* NOR flash. Offsets and lengths in bytes, offsets absolute in flash; erase wants
 * multiples of CHIP_SECTOR_BYTES and uses block erases where it can, one operation
 * each; program counts one operation per call of up to one page and splits longer
 * ones. Return 0, or -1 for a range outside the flash or a failed operation. A cut
 * does not return. */
int chip_flash_read(uint32_t offset, void *buffer, uint32_t length);
int chip_flash_program(uint32_t offset, const void *data, uint32_t length);
int chip_flash_erase(uint32_t offset, uint32_t length);

/* Runs in the child at every boot: partition table, otadata, image verification,
 * rollback states; logs with chip_log("boot", …). 0: chip->booted is filled in.
 * Else nothing is bootable, and the run ends with CHIP_END_NO_IMAGE. */
int bootloader_select(void);

#endif
