/*
 * PSA Crypto as our natives use it: the right configuration in front of its header, its
 * failures as exceptions, and the HMAC key. Included by fota-sha256.c, fota-hmac.c and
 * fota-crypto.c; it knows no key's meaning.
 */
#ifndef FOTA_PSA_H
#define FOTA_PSA_H

#ifdef ESP_PLATFORM
	/* As ESP-IDF builds its own PSA: without these the operation structs have other sizes. */
	#define MBEDTLS_CONFIG_FILE "mbedtls/esp_config.h"
	#define TF_PSA_CRYPTO_USER_CONFIG_FILE "mbedtls/esp_config.h"
	#define ESP_PSA_ITS_AVAILABLE 1
	#define MBEDTLS_MAJOR_VERSION 4
#endif
#include "psa/crypto.h"

#include "fota-native.h"

#define HASH_BYTES 32u
#define KEY_BYTES_MAX 256u
#define HMAC_ALGORITHM PSA_ALG_HMAC(PSA_ALG_SHA_256)

static inline void fotaThrowIfPsa(xsMachine *the, psa_status_t status)
{
	if (PSA_SUCCESS != status)
		xsUnknownError("psa %d", (int)status);
}

/* memset that the compiler may not leave out. */
static inline void fotaWipe(void *bytes, size_t size)
{
	volatile uint8_t *p = bytes;
	while (size--)
		*p++ = 0;
}

static inline psa_status_t fotaImportHmacKey(const uint8_t *bytes, size_t count, mbedtls_svc_key_id_t *key)
{
	psa_key_attributes_t attributes = psa_key_attributes_init();
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE | PSA_KEY_USAGE_VERIFY_MESSAGE);
	psa_set_key_algorithm(&attributes, HMAC_ALGORITHM);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
	return psa_import_key(&attributes, bytes, count, key);
}

#endif
