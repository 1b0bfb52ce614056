/*
 * Reads the values of command-line options: numbers, seconds, faults, outages. See
 * option-values.h.
 */
#include "option-values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1e9

void option_complain(struct option_parser *parser, const char *expected)
{
	fprintf(stderr, "xs-fota-sim: %s %s: expected %s (see xs-fota-sim run --help)\n",
		parser->name, parser->value, expected);
	parser->is_bad = true;
}

static bool read_unsigned(const char *text, char **end, uint64_t *value)
{
	errno = 0;
	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, end, 10);
	return errno == 0;
}

uint64_t option_number(struct option_parser *parser, uint64_t minimum, uint64_t maximum)
{
	char expected[96];
	char *end = NULL;
	uint64_t value = 0;
	if (read_unsigned(parser->value, &end, &value) && *end == 0 && value >= minimum && value <= maximum)
		return value;
	snprintf(expected, sizeof(expected), "a whole number from %" PRIu64 " to %" PRIu64, minimum, maximum);
	option_complain(parser, expected);
	return 0;
}

static bool read_seconds(const char *text, char **end, int64_t *us)
{
	double seconds = strtod(text, end);
	if (*end == text || !isfinite(seconds) || fabs(seconds) > SECONDS_MAX)
		return false;
	*us = (int64_t)(seconds * 1e6);
	return true;
}

uint64_t option_seconds(struct option_parser *parser)
{
	char *end = NULL;
	int64_t us = 0;
	if (read_seconds(parser->value, &end, &us) && *end == 0 && us > 0)
		return (uint64_t)us;
	option_complain(parser, "a number of seconds above 0");
	return 0;
}

void option_add_fault(struct option_parser *parser, enum chip_fault_kind kind)
{
	struct chip *chip = parser->chip;
	char *end = NULL;
	struct chip_fault fault = { .kind = kind, .count = 1 };
	const char *expected = "N:before, N:half or N:after, N counting flash operations from 1";
	if (chip->fault_count == CHIP_FAULTS_MAX) {
		option_complain(parser, "at most 64 faults");
		return;
	}
	if (!read_unsigned(parser->value, &end, &fault.operation) || fault.operation == 0)
		option_complain(parser, expected);
	else if (!strcmp(end, ":before"))
		fault.moment = CHIP_BEFORE;
	else if (!strcmp(end, ":half"))
		fault.moment = CHIP_HALF;
	else if (!strcmp(end, ":after"))
		fault.moment = CHIP_AFTER;
	else
		option_complain(parser, expected);
	chip->fault[chip->fault_count++] = fault;
}

void option_add_failure(struct option_parser *parser)
{
	struct chip *chip = parser->chip;
	char *end = NULL;
	struct chip_fault fault = { .kind = CHIP_FAULT_FAIL, .count = 1 };
	const char *expected = "N or N:COUNT, N counting flash operations from 1";
	if (chip->fault_count == CHIP_FAULTS_MAX) {
		option_complain(parser, "at most 64 faults");
		return;
	}
	if (!read_unsigned(parser->value, &end, &fault.operation) || fault.operation == 0)
		option_complain(parser, expected);
	else if (*end == ':' && (!read_unsigned(end + 1, &end, &fault.count) || *end || fault.count == 0))
		option_complain(parser, expected);
	else if (*end)
		option_complain(parser, expected);
	chip->fault[chip->fault_count++] = fault;
}

/* False after a complaint. */
static bool read_outage(struct option_parser *parser, uint32_t count, struct chip_outage *outage)
{
	char *end = NULL;
	int64_t from = 0, to = INT64_MAX / 2;
	const char *expected = "FROM-TO in seconds of virtual time, FROM before TO (at most 16 times)";
	bool is_good = count < CHIP_OUTAGES_MAX && read_seconds(parser->value, &end, &from) && *end == '-'
		&& from >= 0;
	if (is_good && strcmp(end, "-") != 0)
		is_good = read_seconds(end + 1, &end, &to) && *end == 0 && to > from;
	if (!is_good)
		option_complain(parser, expected);
	*outage = (struct chip_outage){ (uint64_t)from, (uint64_t)to };
	return is_good;
}

void option_add_outage(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	struct chip_outage outage;
	if (read_outage(parser, options->outage_count, &outage))
		options->outage[options->outage_count++] = outage;
}

void option_add_to(struct option_parser *parser, struct chip_outages *outages)
{
	struct chip_outage outage;
	if (read_outage(parser, outages->count, &outage))
		outages->outage[outages->count++] = outage;
}

void option_set_clock_jump(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	char *end = NULL;
	int64_t at = 0, by = 0;
	if (read_seconds(parser->value, &end, &at) && at >= 0 && *end == ':'
		&& read_seconds(end + 1, &end, &by) && *end == 0) {
		options->clock_jump_at_us = (uint64_t)at;
		options->clock_jump_us = by;
	} else {
		option_complain(parser, "AT:+SECONDS or AT:-SECONDS");
	}
}
