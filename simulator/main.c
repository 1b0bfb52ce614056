/*
 * xs-fota-sim: a simulated ESP32 that runs firmware images of this project. Here:
 * the two commands, the flash file, and the exit code. See docs/simulator.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bootloader.h"
#include "chip.h"
#include "clock.h"
#include "options.h"
#include "power.h"
#include "stats.h"
#include "xs/compile.h"

#define FLASH_BYTES_MAX (16u * 1024u * 1024u)

struct chip *chip;

static const char main_help[] =
	"usage: xs-fota-sim run --flash FILE [options]     power up a simulated device\n"
	"       xs-fota-sim compile --output FILE ...      JavaScript modules to a payload archive\n"
	"\n"
	"`xs-fota-sim run --help` and `xs-fota-sim compile --help` say more.\n";

static bool map_flash(const char *path)
{
	struct stat info;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &info) != 0) {
		fprintf(stderr, "xs-fota-sim: --flash %s: %s (make one with `fota provision`, or any file "
			"of the flash's size)\n", path, strerror(errno));
		return false;
	}
	if (info.st_size <= 0 || info.st_size > (off_t)FLASH_BYTES_MAX
		|| info.st_size % CHIP_BLOCK_BYTES != 0) {
		fprintf(stderr, "xs-fota-sim: --flash %s: %lld bytes is no flash size; a multiple of 64 KiB up "
			"to 16 MiB is (4 MiB: 4194304)\n", path, (long long)info.st_size);
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		fprintf(stderr, "xs-fota-sim: --flash %s: another simulator is running on it\n", path);
		return false;
	}
	chip->flash_bytes = (uint32_t)info.st_size;
	chip->flash = mmap(NULL, chip->flash_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (chip->flash == MAP_FAILED) {
		perror("xs-fota-sim: --flash");
		return false;
	}
	return true; /* fd stays open: it holds the lock */
}

static bool open_serial(const char *path)
{
	chip->options.serial_fd = STDOUT_FILENO;
	if (!path)
		return true;
	chip->options.serial_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (chip->options.serial_fd >= 0)
		return true;
	fprintf(stderr, "xs-fota-sim: --serial %s: %s\n", path, strerror(errno));
	return false;
}

static bool open_capture(const char *path)
{
	chip->options.capture_fd = -1;
	if (!path)
		return true;
	chip->options.capture_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (chip->options.capture_fd >= 0)
		return true;
	fprintf(stderr, "xs-fota-sim: --capture %s: %s\n", path, strerror(errno));
	return false;
}

/* splitmix64, to spread a small seed over the state. */
static uint64_t spread(uint64_t *seed)
{
	uint64_t value = (*seed += 0x9E3779B97F4A7C15u);
	value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
	value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
	return value ^ (value >> 31);
}

static bool seed_chip(const struct run_options *run)
{
	uint64_t seed = run->seed;
	if (!run->has_seed && getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		perror("xs-fota-sim: getrandom");
		return false;
	}
	uint64_t address = spread(&seed);
	if (!chip->mac_is_set) {
		memcpy(chip->mac, &address, sizeof(chip->mac));
		chip->mac[0] = (uint8_t)((chip->mac[0] & 0xFC) | 0x02); /* local, one station */
	}
	chip->random_state[0] = spread(&seed);
	chip->random_state[1] = spread(&seed) | 1;
	return true;
}

static int exit_code(void)
{
	switch (chip->end) {
	case CHIP_END_UNTIL:
	case CHIP_END_BOOTS: return 0;
	case CHIP_END_STUCK: return 2;
	case CHIP_END_WALL: return 3;
	case CHIP_END_NO_IMAGE: return 4;
	case CHIP_END_BOOT_LOOP: return 5;
	case CHIP_END_CUT: return 10;
	case CHIP_END_SIGNAL:
		return chip->options.until_count ? 128 + (int)chip->until_index : 0;
	default: return 70;
	}
}

static void say_end(void)
{
	switch (chip->end) {
	case CHIP_END_UNTIL:
		fprintf(stderr, "xs-fota-sim: saw \"%s\"\n", chip->options.until[chip->until_index]);
		break;
	case CHIP_END_STUCK:
		fprintf(stderr, "xs-fota-sim: stuck: --max-seconds of virtual time are over\n");
		break;
	case CHIP_END_WALL:
		fprintf(stderr, "xs-fota-sim: --max-wall-seconds are over\n");
		break;
	case CHIP_END_NO_IMAGE:
		fprintf(stderr, "xs-fota-sim: nothing to boot (its serial output says why)\n");
		break;
	case CHIP_END_BOOT_LOOP:
		fprintf(stderr, "xs-fota-sim: still booting after --max-boots boots\n");
		break;
	case CHIP_END_CUT:
		fprintf(stderr, "xs-fota-sim: power was cut and stays off\n");
		break;
	case CHIP_END_INTERNAL:
		fprintf(stderr, "xs-fota-sim: the simulator itself failed; if nothing above says why, "
			"this is a defect in it\n");
		break;
	default:
		break;
	}
}

/* Returns -1 to go on, or the exit code. */
static int make_chip(int argc, char **argv, struct run_options *run)
{
	chip = mmap(NULL, sizeof(*chip), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (chip == MAP_FAILED) {
		perror("xs-fota-sim: mmap");
		return 70;
	}
	int code = options_parse(argc, argv, chip, run);
	if (code >= 0)
		return code;
	if (!map_flash(run->flash_path) || !open_serial(run->serial_path)
		|| !open_capture(run->capture_path) || !seed_chip(run))
		return 1;
	bootloader_has_rollback = !run->has_no_rollback;
	chip->real_zero_us = clock_real_us();
	return -1;
}

static int run_main(int argc, char **argv)
{
	struct run_options run = { 0 };
	int code = make_chip(argc, argv, &run);
	if (code >= 0)
		return code;
	signal(SIGPIPE, SIG_IGN);
	power_run(&run);
	code = exit_code();
	say_end();
	if (run.stats_path && !stats_write(run.stats_path, code))
		return 1;
	return code;
}

int main(int argc, char **argv)
{
	setenv("TZ", "UTC0", 1);
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return run_main(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "compile"))
		return compile_main(argc - 2, argv + 2);
	bool is_help = argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"));
	fputs(main_help, is_help ? stdout : stderr);
	return is_help ? 0 : 1;
}
