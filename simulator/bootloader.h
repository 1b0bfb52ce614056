/*
 * The second-stage bootloader of ESP-IDF 6.0 with application rollback: what it decides
 * and what it writes, in the same order. bootloader_select() is declared in chip.h; this
 * adds what the command line needs. It knows the partition table, the boot records and the
 * image format, and nothing of what the application does.
 *
 * An image for the simulator is an ESP32 image like any other: 24-byte header (chip id of
 * the chip, hash_appended 1), segment 0 with a load address in the chip's data window that
 * matches its place in flash modulo 64 KiB (0x3F400020 on ESP32, 0x3C000020 on C3 and S3),
 * beginning with the 256-byte esp_app_desc_t; what follows it is the payload.
 */
#ifndef XS_FOTA_BOOTLOADER_H
#define XS_FOTA_BOOTLOADER_H

#include <stdbool.h>

/* False: a bootloader built without rollback support. Set it before the first boot. */
extern bool bootloader_has_rollback;

#endif
