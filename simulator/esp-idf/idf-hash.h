/*
 * MD5 and SHA-256 of Mbed TLS for the simulator's ROM and bootloader, under the names of
 * version 3; version 2 had a suffix.
 */
#ifndef IDF_HASH_H
#define IDF_HASH_H

#include <mbedtls/md5.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_MAJOR < 3
	#define mbedtls_md5 mbedtls_md5_ret
	#define mbedtls_sha256_starts mbedtls_sha256_starts_ret
	#define mbedtls_sha256_update mbedtls_sha256_update_ret
	#define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

#endif
