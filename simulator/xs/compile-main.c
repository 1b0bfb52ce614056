/* The build's bootstrap: `compile` alone, before there are built-in modules. */
#include "chip.h"
#include "compile.h"

struct chip *chip = NULL;

int main(int argc, char **argv)
{
	return compile_main(argc - 1, argv + 1);
}

/* XS's host refers to the chip, which this program does not have. */
_Noreturn void chip_reset(enum chip_reset reason)
{
	(void)reason;
	__builtin_trap();
}

void chip_vprintf(const char *format, __builtin_va_list arguments)
{
	(void)format;
	(void)arguments;
}

void chip_printf(const char *format, ...)
{
	(void)format;
}

void chip_log(const char *source, const char *format, ...)
{
	(void)source;
	(void)format;
}

uint32_t chip_random(void)
{
	return 0;
}

int64_t host_wall_us(void)
{
	return 0;
}

uint8_t builtin_archive_start[1], builtin_archive_end[1];
