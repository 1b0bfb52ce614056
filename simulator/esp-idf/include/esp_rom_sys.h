/* The simulator's own header: the part of ESP-IDF 6.0's esp_rom_sys.h. */
#pragma once

#include "soc/reset_reasons.h"

int esp_rom_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
soc_reset_reason_t esp_rom_get_reset_reason(int cpu_no);
