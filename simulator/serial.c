/*
 * The serial line: everything the chip prints goes through here, to the file
 * descriptor of --serial. Each finished line is looked at for --until, in the
 * child itself, so that the device is off before it does anything further.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chip.h"
#include "process.h"

static void write_all(const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(chip->options.serial_fd, text, length);
		if (written <= 0)
			return; /* whoever listened has gone; the device runs on */
		text += written;
		length -= (size_t)written;
	}
}

static void finish_line(void)
{
	char line[CHIP_LINE_MAX + 1];
	memcpy(line, chip->line, chip->line_length);
	line[chip->line_length] = 0;
	chip->line_length = 0;
	for (uint32_t i = 0; i < chip->options.until_count; i++) {
		if (strstr(line, chip->options.until[i])) {
			chip->until_index = i;
			process_end_run(CHIP_END_UNTIL);
		}
	}
}

void chip_print(const char *text, size_t length)
{
	while (length) {
		const char *newline = memchr(text, '\n', length);
		size_t part = newline ? (size_t)(newline - text) : length;
		size_t room = CHIP_LINE_MAX - chip->line_length;
		size_t kept = part < room ? part : room;
		memcpy(chip->line + chip->line_length, text, kept);
		chip->line_length += (uint32_t)kept;
		write_all(text, newline ? part + 1 : part);
		if (newline)
			finish_line();
		text += newline ? part + 1 : part;
		length -= newline ? part + 1 : part;
	}
}

void chip_vprintf(const char *format, __builtin_va_list arguments)
{
	char text[CHIP_LINE_MAX];
	int length = vsnprintf(text, sizeof(text), format, arguments);
	if (length > 0)
		chip_print(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void chip_printf(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	chip_vprintf(format, arguments);
	va_end(arguments);
}

void chip_log(const char *source, const char *format, ...)
{
	char text[CHIP_LINE_MAX];
	va_list arguments;
	va_start(arguments, format);
	int length = snprintf(text, sizeof(text), "%s[%s] ", chip->line_length ? "\n" : "", source);
	vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, arguments);
	va_end(arguments);
	strcat(text, "\n");
	chip_print(text, strlen(text));
}
