/* The statistics file (--stats): see stats.c and docs/simulator.md. */
#ifndef FOTA_STATS_H
#define FOTA_STATS_H

/* False, with a message, if it cannot be written. */
int stats_write(const char *path, int exit_code);

#endif
