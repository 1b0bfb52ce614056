/*
 * Values of command-line options, checked; used by options.c alone. A wrong value
 * is complained about on standard error and noted in is_bad.
 */
#ifndef FOTA_OPTION_VALUES_H
#define FOTA_OPTION_VALUES_H

#include "chip.h"
#include "options.h"

struct option_parser {
	struct chip *chip;
	struct run_options *run;
	const char *name;
	const char *value;
	bool is_bad;
};

void option_complain(struct option_parser *parser, const char *expected);
uint64_t option_number(struct option_parser *parser, uint64_t minimum, uint64_t maximum);
/* In microseconds, above 0. */
uint64_t option_seconds(struct option_parser *parser);
void option_add_fault(struct option_parser *parser, enum chip_fault_kind kind);
void option_add_failure(struct option_parser *parser);
void option_add_outage(struct option_parser *parser);
void option_set_clock_jump(struct option_parser *parser);
/* FROM-TO, for the outages of one thing. */
void option_add_to(struct option_parser *parser, struct chip_outages *outages);

#endif
