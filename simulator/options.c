/*
 * Reads the command line of `xs-fota-sim run`. Every number is checked here, so
 * that nobody behind it needs to. Prints the help.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "chip.h"
#include "option-network.h"
#include "option-values.h"
#include "run-help.h"

static void set_chip(struct option_parser *parser)
{
	if (!strcmp(parser->value, "esp32"))
		parser->chip->chip_id = CHIP_ID_ESP32;
	else if (!strcmp(parser->value, "esp32s3"))
		parser->chip->chip_id = CHIP_ID_ESP32S3;
	else if (!strcmp(parser->value, "esp32c3"))
		parser->chip->chip_id = CHIP_ID_ESP32C3;
	else
		option_complain(parser, "esp32, esp32s3 or esp32c3");
}

static void set_mac(struct option_parser *parser)
{
	unsigned mac[6];
	char rest;
	if (sscanf(parser->value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &mac[0], &mac[1], &mac[2], &mac[3],
		&mac[4], &mac[5], &rest) != 6) {
		option_complain(parser, "six bytes in hexadecimal, as in 24:6f:28:00:00:01");
		return;
	}
	for (int i = 0; i < 6; i++)
		parser->chip->mac[i] = (uint8_t)mac[i];
	parser->chip->mac_is_set = true;
}

static void add_until(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	if (options->until_count == CHIP_UNTIL_MAX || !*parser->value)
		option_complain(parser, "a text (at most 16 times)");
	else
		options->until[options->until_count++] = parser->value;
}

static void set_network_loss(struct option_parser *parser)
{
	if (!strcmp(parser->value, "reset"))
		parser->chip->options.network_loss_resets = true;
	else if (strcmp(parser->value, "stall") != 0)
		option_complain(parser, "stall or reset");
}

static void set_seed(struct option_parser *parser)
{
	parser->run->seed = option_number(parser, 0, UINT64_MAX);
	parser->run->has_seed = true;
}

static bool flag(struct option_parser *parser, const char *name)
{
	struct chip_options *options = &parser->chip->options;
	if (!strcmp(name, "--no-rollback"))
		parser->run->has_no_rollback = true;
	else if (!strcmp(name, "--fast"))
		options->fast = true;
	else if (!strcmp(name, "--flash-timing"))
		options->flash_timing = true;
	else if (!strcmp(name, "--measure-memory"))
		options->measure_memory = true;
	else if (!strcmp(name, "--cut-stays-off"))
		options->cut_stays_off = true;
	else
		return false;
	return true;
}

/* Options that set one number or name. */
static bool simple_value(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	struct run_options *run = parser->run;
	const char *name = parser->name;
	if (!strcmp(name, "--flash"))
		run->flash_path = parser->value;
	else if (!strcmp(name, "--stats"))
		run->stats_path = parser->value;
	else if (!strcmp(name, "--serial"))
		run->serial_path = parser->value;
	else if (!strcmp(name, "--capture"))
		run->capture_path = parser->value;
	else if (!strcmp(name, "--boots"))
		run->boots = (uint32_t)option_number(parser, 1, 1000000);
	else if (!strcmp(name, "--max-boots"))
		run->max_boots = (uint32_t)option_number(parser, 1, 1000000);
	else if (!strcmp(name, "--max-seconds"))
		options->max_us = option_seconds(parser);
	else if (!strcmp(name, "--max-wall-seconds"))
		run->max_wall_ms = option_seconds(parser) / 1000u;
	else if (!strcmp(name, "--watchdog-ms"))
		options->watchdog_ms = (uint32_t)option_number(parser, 100, 3600000);
	else if (!strcmp(name, "--epoch"))
		options->epoch_us = (int64_t)option_number(parser, 0, UINT32_MAX) * 1000000;
	else if (!strcmp(name, "--pace"))
		options->pace = (uint32_t)option_number(parser, 1, 1000000);
	else if (!strcmp(name, "--link-rate"))
		options->link_rate = option_number(parser, 1, 1000000000);
	else if (!strcmp(name, "--link-rtt"))
		options->link_rtt_us = option_number(parser, 1, 60000) * 1000u;
	else if (!strcmp(name, "--tcp-window"))
		options->tcp_window_bytes = option_number(parser, 1, 1u << 20);
	else if (!strcmp(name, "--heap-slots"))
		options->heap_slots = (uint32_t)option_number(parser, 64, 1000000);
	else if (!strcmp(name, "--heap-chunks"))
		options->heap_chunk_bytes = (uint32_t)option_number(parser, 1024, 64u << 20);
	else if (!strcmp(name, "--stack"))
		options->stack_slots = (uint32_t)option_number(parser, 64, 100000);
	else
		return false;
	return true;
}

static bool value_option(struct option_parser *parser)
{
	static const struct {
		const char *name;
		void (*set)(struct option_parser *parser);
	} setters[] = {
		{ "--chip", set_chip }, { "--mac", set_mac }, { "--seed", set_seed },
		{ "--until", add_until }, { "--fail-op", option_add_failure }, { "--network-down", option_add_outage },
		{ "--network-loss", set_network_loss }, { "--clock-jump", option_set_clock_jump },
		{ "--wifi", option_set_wifi }, { "--wifi-away", option_add_wifi_away },
		{ "--wifi-delay", option_set_wifi_delay }, { "--wifi-rssi", option_set_wifi_rssi }, { "--dhcp-away", option_add_dhcp_away },
		{ "--resolve", option_add_name }, { "--udp-to", option_add_udp_lead },
		{ "--listen", option_add_tcp_lead },
	};
	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++) {
		if (!strcmp(parser->name, setters[i].name)) {
			setters[i].set(parser);
			return true;
		}
	}
	if (!strcmp(parser->name, "--cut"))
		option_add_fault(parser, CHIP_FAULT_CUT);
	else if (!strcmp(parser->name, "--brownout-at"))
		option_add_fault(parser, CHIP_FAULT_BROWNOUT);
	else
		return simple_value(parser);
	return true;
}

static int finish(struct option_parser *parser)
{
	struct chip_options *options = &parser->chip->options;
	if (parser->is_bad)
		return 1;
	if (!parser->run->flash_path) {
		fprintf(stderr, "xs-fota-sim: --flash FILE is missing: the flash contents of the device\n");
		return 1;
	}
	if (options->pace || options->link_rate || options->link_rtt_us)
		options->fast = true;
	if (options->flash_timing && !options->fast)
		fprintf(stderr, "xs-fota-sim: note: --flash-timing without --fast waits in real time\n");
	return -1;
}

int options_parse(int argc, char **argv, struct chip *chip, struct run_options *run)
{
	struct option_parser parser = { .chip = chip, .run = run };
	run->max_boots = 50;
	chip->options.watchdog_ms = 5000;
	chip->options.tcp_window_bytes = 5744;
	chip->options.wifi_delay_us = 1000000;
	chip->options.wifi_rssi_dbm = -60;
	chip->chip_id = CHIP_ID_ESP32;
	for (int i = 0; i < argc; i++) {
		parser.name = argv[i];
		if (!strcmp(argv[i], "--help")) {
			fputs(run_help, stdout);
			return 0;
		}
		if (flag(&parser, argv[i]))
			continue;
		parser.value = i + 1 < argc ? argv[i + 1] : NULL;
		if (!parser.value || !value_option(&parser)) {
			fprintf(stderr, "xs-fota-sim: %s: %s (see xs-fota-sim run --help)\n", argv[i],
				parser.value ? "unknown option" : "unknown option, or its value is missing");
			return 1;
		}
		i++;
	}
	return finish(&parser);
}
