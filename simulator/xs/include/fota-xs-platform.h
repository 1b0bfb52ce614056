/*
 * XSPLATFORM: what XS itself needs from this platform. Included by XS's own
 * sources and, through xs.h, by every C file that talks to the machine. Single
 * machine, no debugger, time and randomness from the simulated chip.
 */
#ifndef FOTA_XS_PLATFORM_H
#define FOTA_XS_PLATFORM_H

#undef mxLinux
#define mxLinux 1
#undef mxLittleEndian
#define mxLittleEndian 1
#define mxExport extern
#define mxImport extern
#define XS_FUNCTION_NORETURN __attribute__((noreturn))

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define mxUseGCCAtomics 1
#define mxUsePOSIXThreads 1
#define mxUseDefaultBuildKeys 1
#define mxUseDefaultSharedChunks 1

/* The waiter fields belong to Atomics.wait, which XS's sources contain. */
#define mxMachinePlatform \
	void *host; \
	void *waiterCondition; \
	void *waiterData; \
	void *waiterLink;

/* Wall clock, randomness and XS's own reports: xs/host.c. */
struct timezone;
extern int fota_gettimeofday(struct timeval *value, struct timezone *zone);
extern int fota_rand(void);
extern int fota_vprintf(const char *format, va_list arguments);
extern int fota_printf(const char *format, ...);

typedef struct timeval c_timeval;
#define c_timezone timezone
#define c_gettimeofday fota_gettimeofday
#define c_rand fota_rand
#define C_RAND_MAX 0x7FFFFFFF
#define c_vprintf fota_vprintf
#define c_printf fota_printf

#endif
