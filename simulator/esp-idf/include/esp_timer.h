/* The simulator's own header: the part of ESP-IDF 6.0's esp_timer.h. */
#pragma once

#include <stdint.h>

int64_t esp_timer_get_time(void);
