/*
 * The modules a machine can import: those of the application's archive and those
 * built into the simulator (modules/, the stand-ins for Moddable's).
 */
#ifndef FOTA_MODULES_H
#define FOTA_MODULES_H

#include <stddef.h>
#include <stdint.h>

struct sxMachine;

/* Takes the payload (copied; `length` may exceed the archive). Returns NULL, or
 * what is wrong with it. Exits the program if the built-in archive is damaged. */
const char *modules_open(const uint8_t *payload, size_t length);

/* Gives every name in the bytecode its id in this machine, once, before the
 * application runs: on the chip the linker does it at build time. */
void modules_link(struct sxMachine *the);

/* Runs the bodies of all the application's modules but the entry: on the chip that is
 * done when the image is built (preload), and what they make lies in flash. Throws. */
void modules_preload(struct sxMachine *the);

/* The entry module's specifier, and the application's bytecode in bytes. */
const char *modules_entry(void);
uint32_t modules_code_bytes(void);

#endif
