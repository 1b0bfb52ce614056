/* The simulator's own header: the part of ESP-IDF 6.0's esp_private/system_internal.h. */
#pragma once

#include "esp_system.h"

esp_reset_reason_t esp_reset_reason_get_hint(void);
