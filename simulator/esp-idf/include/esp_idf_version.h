/* The simulator's own header: the part of ESP-IDF 6.0's esp_idf_version.h. */
#pragma once

const char *esp_get_idf_version(void);
