/*
 * Counted allocation, forced (-include) into src/native and the module
 * stand-ins, so that --measure-memory can tell what C holds. Nothing else
 * includes it; XS and the process around it allocate uncounted.
 */
#ifndef COUNTED_MALLOC_H
#define COUNTED_MALLOC_H

#include <stdlib.h>
#include <string.h>

extern void *counted_malloc(size_t bytes);
extern void *counted_calloc(size_t count, size_t bytes);
extern void *counted_realloc(void *pointer, size_t bytes);
extern void counted_free(void *pointer);

#ifndef COUNTED_MALLOC_OFF
	#define malloc(bytes) counted_malloc(bytes)
	#define calloc(count, bytes) counted_calloc(count, bytes)
	#define realloc(pointer, bytes) counted_realloc(pointer, bytes)
	#define free(pointer) counted_free(pointer)
	#define c_malloc counted_malloc
	#define c_calloc counted_calloc
	#define c_realloc counted_realloc
	#define c_free counted_free
#endif

#endif
