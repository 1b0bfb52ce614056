/* The simulator's own header: the part of ESP-IDF 6.0's soc/reset_reasons.h, the numbers that all chips share. */
#pragma once

typedef enum {
	RESET_REASON_CHIP_POWER_ON = 0x01,
	RESET_REASON_CORE_SW = 0x03,
	RESET_REASON_CORE_DEEP_SLEEP = 0x05,
	RESET_REASON_CORE_MWDT0 = 0x07,
	RESET_REASON_SYS_BROWN_OUT = 0x0F,
} soc_reset_reason_t;
