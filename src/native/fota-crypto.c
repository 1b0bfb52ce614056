/*
 * C side of FotaCrypto in fota-crypto.ts: HKDF, ES256 and random bytes. No state. The
 * manifest lists fota-crypto (.ts and .c) together with fota-sha256.c and fota-hmac.c.
 */

#include "fota-psa.h"

#include "esp_random.h"

#define HKDF_BYTES_MAX (255u * HASH_BYTES)	/* RFC 5869, 2.3 */
#define PUBLIC_KEY_BYTES 65u
#define SIGNATURE_BYTES 64u

/* --- HKDF-SHA256 (RFC 5869) --- */

struct BytesRecord {
	const uint8_t	*data;
	size_t			count;
};
typedef struct BytesRecord Bytes;

/* HMAC(key, a ‖ b ‖ c). */
static psa_status_t hmacOf(Bytes key, Bytes a, Bytes b, Bytes c, uint8_t *mac)
{
	mbedtls_svc_key_id_t id = MBEDTLS_SVC_KEY_ID_INIT;
	psa_mac_operation_t operation = psa_mac_operation_init();
	size_t length;
	psa_status_t status = fotaImportHmacKey(key.data, key.count, &id);
	if (PSA_SUCCESS != status)
		return status;
	status = psa_mac_sign_setup(&operation, id, HMAC_ALGORITHM);
	if (PSA_SUCCESS == status && a.count)
		status = psa_mac_update(&operation, a.data, a.count);
	if (PSA_SUCCESS == status && b.count)
		status = psa_mac_update(&operation, b.data, b.count);
	if (PSA_SUCCESS == status && c.count)
		status = psa_mac_update(&operation, c.data, c.count);
	if (PSA_SUCCESS == status)
		status = psa_mac_sign_finish(&operation, mac, HASH_BYTES, &length);
	psa_mac_abort(&operation);
	psa_destroy_key(id);
	return status;
}

/* An absent salt is a block of zeros (2.2); T(i) = HMAC(PRK, T(i − 1) ‖ info ‖ i) (2.3). */
static psa_status_t hkdf(Bytes salt, Bytes ikm, Bytes info, uint8_t *into, size_t count)
{
	static const uint8_t zeros[HASH_BYTES];
	const Bytes none = { NULL, 0 };
	uint8_t prk[HASH_BYTES];
	uint8_t block[HASH_BYTES];
	if (0 == salt.count)
		salt = (Bytes){ zeros, sizeof(zeros) };
	psa_status_t status = hmacOf(salt, ikm, none, none, prk);
	for (uint8_t i = 1; PSA_SUCCESS == status && count > 0; i++) {
		Bytes before = { block, 1 == i ? 0 : HASH_BYTES };
		status = hmacOf((Bytes){ prk, HASH_BYTES }, before, info, (Bytes){ &i, 1 }, block);
		size_t use = count < HASH_BYTES ? count : HASH_BYTES;
		memcpy(into, block, PSA_SUCCESS == status ? use : 0);
		into += use;
		count -= use;
	}
	fotaWipe(prk, sizeof(prk));
	fotaWipe(block, sizeof(block));
	return status;
}

static Bytes toBytes(xsMachine *the, xsSlot *slot)
{
	void *data;
	xsUnsignedValue count;
	xsmcGetBufferReadable(*slot, &data, &count);
	return (Bytes){ data, count };
}

void xs_fota_crypto_hkdf(xsMachine *the)
{
	void *into;
	xsUnsignedValue count;
	fotaNeedArguments(the, 4);
	fotaThrowIfPsa(the, psa_crypto_init());
	Bytes salt = toBytes(the, &xsArg(0));
	Bytes ikm = toBytes(the, &xsArg(1));
	Bytes info = toBytes(the, &xsArg(2));
	xsmcGetBufferWritable(xsArg(3), &into, &count);
	if (salt.count > KEY_BYTES_MAX || ikm.count < 1 || ikm.count > KEY_BYTES_MAX)
		xsRangeError("key length");
	if (count < 1 || count > HKDF_BYTES_MAX)
		xsRangeError("output length");
	fotaThrowIfPsa(the, hkdf(salt, ikm, info, into, count));
}

/* --- ES256 and random --- */

static psa_status_t verifyEs256(const uint8_t *publicKey, const uint8_t *hash, const uint8_t *signature)
{
	mbedtls_svc_key_id_t key = MBEDTLS_SVC_KEY_ID_INIT;
	psa_key_attributes_t attributes = psa_key_attributes_init();
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
	psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_bits(&attributes, 256);
	psa_status_t status = psa_import_key(&attributes, publicKey, PUBLIC_KEY_BYTES, &key);
	if (PSA_SUCCESS != status)
		return status;
	status = psa_verify_hash(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, HASH_BYTES, signature, SIGNATURE_BYTES);
	psa_destroy_key(key);
	return status;
}

/* PSA_ERROR_INVALID_ARGUMENT: not a point of the curve, or r or s out of range. */
void xs_fota_crypto_verifyEs256(xsMachine *the)
{
	fotaNeedArguments(the, 3);
	fotaThrowIfPsa(the, psa_crypto_init());
	Bytes key = toBytes(the, &xsArg(0));
	Bytes hash = toBytes(the, &xsArg(1));
	Bytes signature = toBytes(the, &xsArg(2));
	xsmcSetFalse(xsResult);
	if (PUBLIC_KEY_BYTES != key.count || HASH_BYTES != hash.count || SIGNATURE_BYTES != signature.count)
		return;
	psa_status_t status = verifyEs256(key.data, hash.data, signature.data);
	if (PSA_ERROR_INVALID_SIGNATURE == status || PSA_ERROR_INVALID_ARGUMENT == status)
		return;
	fotaThrowIfPsa(the, status);
	xsmcSetTrue(xsResult);
}

void xs_fota_crypto_random(xsMachine *the)
{
	void *into;
	xsUnsignedValue count;
	fotaNeedArguments(the, 1);
	xsmcGetBufferWritable(xsArg(0), &into, &count);
	esp_fill_random(into, count);
}
