/* The command line of `xs-fota-sim run`: see options.c. */
#ifndef FOTA_OPTIONS_H
#define FOTA_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct chip;

struct run_options {
	const char *flash_path;
	const char *stats_path; /* NULL: none */
	const char *serial_path; /* NULL: standard output */
	const char *capture_path; /* NULL: none */
	uint64_t seed;
	bool has_seed;
	bool has_no_rollback; /* a bootloader built without rollback support */
	uint32_t boots; /* --boots, 0: none */
	uint32_t max_boots;
	uint64_t max_wall_ms; /* real time, 0: none */
};

/* Fills in the chip's options and `run`. Returns -1 to go on, or the exit code
 * after a message (0 after --help). */
int options_parse(int argc, char **argv, struct chip *chip, struct run_options *run);

#endif
