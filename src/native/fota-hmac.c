/*
 * C side of HmacSha256 in fota-crypto.ts. State lives in malloc memory, since PSA and its
 * drivers keep addresses into it.
 */

#include "fota-psa.h"

#include <stdlib.h>

enum { kHmacIdle, kHmacSigning, kHmacVerifying };

struct HmacRecord {
	mbedtls_svc_key_id_t	key;
	psa_mac_operation_t		operation;
	uint8_t					mode;
};
typedef struct HmacRecord HmacRecord;
typedef struct HmacRecord *Hmac;

void xs_fota_hmac_destructor(void *data)
{
	Hmac hmac = data;
	if (!hmac)
		return;
	psa_mac_abort(&hmac->operation);
	psa_destroy_key(hmac->key);
	fotaWipe(hmac, sizeof(*hmac));
	free(hmac);
}

void xs_fota_hmac(xsMachine *the)
{
	void *bytes;
	xsUnsignedValue count;
	fotaNeedArguments(the, 1);
	if (xsmcGetHostDataValidate(xsThis, xs_fota_hmac_destructor))
		xsUnknownError("already constructed");
	fotaThrowIfPsa(the, psa_crypto_init());
	xsmcGetBufferReadable(xsArg(0), &bytes, &count);
	if (count < 1 || count > KEY_BYTES_MAX)
		xsRangeError("key length");
	Hmac hmac = calloc(1, sizeof(*hmac));
	if (!hmac)
		xsUnknownError("no memory");
	hmac->operation = psa_mac_operation_init();
	psa_status_t status = fotaImportHmacKey(bytes, count, &hmac->key);
	if (PSA_SUCCESS != status) {
		free(hmac);
		fotaThrowIfPsa(the, status);
	}
	xsmcSetHostData(xsThis, hmac);
}

void xs_fota_hmac_close(xsMachine *the)
{
	Hmac hmac = xsmcGetHostDataValidate(xsThis, xs_fota_hmac_destructor);
	xsmcSetHostData(xsThis, NULL);
	xs_fota_hmac_destructor(hmac);
}

static Hmac thisHmac(xsMachine *the)
{
	Hmac hmac = xsmcGetHostDataValidate(xsThis, xs_fota_hmac_destructor);
	if (!hmac)
		xsUnknownError("closed");
	return hmac;
}

static void startHmac(xsMachine *the, uint8_t mode)
{
	Hmac hmac = thisHmac(the);
	psa_mac_abort(&hmac->operation);
	psa_status_t status = kHmacSigning == mode
		? psa_mac_sign_setup(&hmac->operation, hmac->key, HMAC_ALGORITHM)
		: psa_mac_verify_setup(&hmac->operation, hmac->key, HMAC_ALGORITHM);
	hmac->mode = PSA_SUCCESS == status ? mode : kHmacIdle;
	fotaThrowIfPsa(the, status);
}

void xs_fota_hmac_startSign(xsMachine *the)
{
	startHmac(the, kHmacSigning);
}

void xs_fota_hmac_startVerify(xsMachine *the)
{
	startHmac(the, kHmacVerifying);
}

void xs_fota_hmac_update(xsMachine *the)
{
	fotaNeedArguments(the, 3);
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	uint32_t count = fotaToUnsigned(the, &xsArg(2));
	Hmac hmac = thisHmac(the);
	if (kHmacIdle == hmac->mode)
		xsUnknownError("not started");
	uint8_t *bytes = fotaReadable(the, &xsArg(0), offset, count);
	fotaThrowIfPsa(the, psa_mac_update(&hmac->operation, bytes, count));
}

void xs_fota_hmac_digest(xsMachine *the)
{
	size_t length;
	fotaNeedArguments(the, 2);
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	Hmac hmac = thisHmac(the);
	if (kHmacSigning != hmac->mode)
		xsUnknownError("not signing");
	uint8_t *into = fotaWritable(the, &xsArg(0), offset, HASH_BYTES);
	hmac->mode = kHmacIdle;
	fotaThrowIfPsa(the, psa_mac_sign_finish(&hmac->operation, into, HASH_BYTES, &length));
}

void xs_fota_hmac_verify(xsMachine *the)
{
	fotaNeedArguments(the, 2);
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	Hmac hmac = thisHmac(the);
	if (kHmacVerifying != hmac->mode)
		xsUnknownError("not verifying");
	uint8_t *mac = fotaReadable(the, &xsArg(0), offset, HASH_BYTES);
	hmac->mode = kHmacIdle;
	psa_status_t status = psa_mac_verify_finish(&hmac->operation, mac, HASH_BYTES);
	xsmcSetBoolean(xsResult, PSA_SUCCESS == status);
	if (PSA_ERROR_INVALID_SIGNATURE != status)
		fotaThrowIfPsa(the, status);
}
