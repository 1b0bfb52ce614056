/*
 * C side of Sha256 in fota-crypto.ts. State lives in malloc memory, since PSA and its
 * drivers keep addresses into it.
 */

#include "fota-psa.h"

#include <stdlib.h>

struct Sha256Record {
	psa_hash_operation_t	operation;
	bool					isActive;
};
typedef struct Sha256Record Sha256Record;
typedef struct Sha256Record *Sha256;

void xs_fota_sha256_destructor(void *data)
{
	Sha256 sha = data;
	if (!sha)
		return;
	psa_hash_abort(&sha->operation);
	fotaWipe(sha, sizeof(*sha));
	free(sha);
}

void xs_fota_sha256(xsMachine *the)
{
	if (xsmcGetHostDataValidate(xsThis, xs_fota_sha256_destructor))
		xsUnknownError("already constructed");
	fotaThrowIfPsa(the, psa_crypto_init());
	Sha256 sha = calloc(1, sizeof(*sha));
	if (!sha)
		xsUnknownError("no memory");
	sha->operation = psa_hash_operation_init();
	xsmcSetHostData(xsThis, sha);
}

void xs_fota_sha256_close(xsMachine *the)
{
	Sha256 sha = xsmcGetHostDataValidate(xsThis, xs_fota_sha256_destructor);
	xsmcSetHostData(xsThis, NULL);
	xs_fota_sha256_destructor(sha);
}

static Sha256 thisSha256(xsMachine *the)
{
	Sha256 sha = xsmcGetHostDataValidate(xsThis, xs_fota_sha256_destructor);
	if (!sha)
		xsUnknownError("closed");
	return sha;
}

static psa_status_t startSha256(Sha256 sha)
{
	if (sha->isActive)
		return PSA_SUCCESS;
	psa_status_t status = psa_hash_setup(&sha->operation, PSA_ALG_SHA_256);
	sha->isActive = PSA_SUCCESS == status;
	return status;
}

void xs_fota_sha256_update(xsMachine *the)
{
	fotaNeedArguments(the, 3);
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	uint32_t count = fotaToUnsigned(the, &xsArg(2));
	Sha256 sha = thisSha256(the);
	uint8_t *bytes = fotaReadable(the, &xsArg(0), offset, count);
	psa_status_t status = startSha256(sha);
	if (PSA_SUCCESS == status)
		status = psa_hash_update(&sha->operation, bytes, count);
	fotaThrowIfPsa(the, status);
}

void xs_fota_sha256_digest(xsMachine *the)
{
	size_t length;
	fotaNeedArguments(the, 2);
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	Sha256 sha = thisSha256(the);
	uint8_t *into = fotaWritable(the, &xsArg(0), offset, HASH_BYTES);
	psa_status_t status = startSha256(sha);
	if (PSA_SUCCESS == status)
		status = psa_hash_finish(&sha->operation, into, HASH_BYTES, &length);
	if (PSA_SUCCESS != status)
		psa_hash_abort(&sha->operation);
	sha->isActive = false;
	fotaThrowIfPsa(the, status);
}
