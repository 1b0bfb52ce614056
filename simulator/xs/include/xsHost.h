/*
 * xsHost.h as the C natives include it on the chip: the few mod* calls of
 * Moddable's esp platform that our natives and module stand-ins use.
 */
#ifndef FOTA_XS_HOST_H
#define FOTA_XS_HOST_H

#include <stdint.h>

#ifndef ICACHE_RODATA_ATTR
	#define ICACHE_RODATA_ATTR
#endif

extern uint32_t modMilliseconds(void); /* since boot */
extern void modDelayMilliseconds(uint32_t ms);
extern void modSetTime(uint32_t seconds); /* Unix time */

#ifndef modLog
	#define modLog(message)
#endif

#endif
