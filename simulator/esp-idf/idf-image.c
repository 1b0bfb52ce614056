/*
 * esp_image_verify: is there a whole, undamaged image for this chip in that range of
 * flash? The same code serves the application and the bootloader, as in ESP-IDF. It reads
 * and judges; it never loads, and knows nothing of slots or boot records.
 *
 * Format: header (24 bytes), segments (address, length, data), one checksum byte at the
 * end of a block of 16 (0xEF and all segment bytes, xored), SHA-256 over all before it.
 */

#include "esp_image_format.h"

#include <string.h>

#include "chip.h"
#include "idf-hash.h"

#define CHECKSUM_INITIAL 0xEFu
#define FLASH_ADDRESS_MAX 0x1000000u
#define MMU_PAGE_BYTES 0x10000u
#define READ_BYTES 4096u

/* Addresses through which a chip sees flash, and its revision (major × 100 + minor). */
struct ChipTraits {
	uint16_t chipId;
	uint16_t revision;
	uint32_t dataLow, dataHigh, codeLow, codeHigh;
};

static const struct ChipTraits kTraits[] = {
	{ CHIP_ID_ESP32, 301, 0x3F400000, 0x3F800000, 0x400D0000, 0x40400000 },
	{ CHIP_ID_ESP32C3, 4, 0x3C000000, 0x3C800000, 0x42000000, 0x42800000 },
	{ CHIP_ID_ESP32S3, 2, 0x3C000000, 0x3E000000, 0x42000000, 0x44000000 },
};

struct Verification {
	mbedtls_sha256_context sha;
	uint8_t checksum;
	esp_image_metadata_t *image;
};

static const struct ChipTraits *thisChip(void)
{
	for (size_t i = 0; i < sizeof(kTraits) / sizeof(kTraits[0]); i++) {
		if (kTraits[i].chipId == chip->chip_id)
			return &kTraits[i];
	}
	return &kTraits[0];
}

static esp_err_t readHashed(struct Verification *v, uint32_t address, void *into, uint32_t count)
{
	if (0 != chip_flash_read(address, into, count))
		return ESP_ERR_IMAGE_FLASH_FAIL;
	return 0 == mbedtls_sha256_update(&v->sha, into, count) ? ESP_OK : ESP_FAIL;
}

static bool isForThisChip(const esp_image_header_t *header)
{
	const struct ChipTraits *traits = thisChip();
	if (header->chip_id != chip->chip_id || header->min_chip_rev_full > traits->revision)
		return false;
	uint16_t maximum = header->max_chip_rev_full;
	return 0 == maximum || UINT16_MAX == maximum || traits->revision <= maximum;
}

static esp_err_t checkHeader(struct Verification *v)
{
	esp_image_header_t *header = &v->image->image;
	esp_err_t err = readHashed(v, v->image->start_addr, header, sizeof(*header));
	if (ESP_OK != err)
		return err;
	if (ESP_IMAGE_HEADER_MAGIC != header->magic || header->segment_count > ESP_IMAGE_MAX_SEGMENTS)
		return ESP_ERR_IMAGE_INVALID;
	v->image->image_len = sizeof(*header);
	return isForThisChip(header) ? ESP_OK : ESP_ERR_IMAGE_INVALID;
}

/* What is mapped must lie at the same place within a page in flash and in memory. */
static bool isSegmentSound(const esp_image_segment_header_t *segment, uint32_t dataAddress)
{
	const struct ChipTraits *traits = thisChip();
	uint32_t load = segment->load_addr;
	bool isMapped = (load >= traits->dataLow && load < traits->dataHigh)
		|| (load >= traits->codeLow && load < traits->codeHigh);
	if (segment->data_len % 4 || segment->data_len >= FLASH_ADDRESS_MAX)
		return false;
	return !isMapped || dataAddress % MMU_PAGE_BYTES == load % MMU_PAGE_BYTES;
}

static esp_err_t checkSegment(struct Verification *v, uint32_t index)
{
	uint8_t bytes[READ_BYTES];
	esp_image_metadata_t *image = v->image;
	esp_image_segment_header_t *segment = &image->segments[index];
	uint32_t address = image->start_addr + image->image_len;
	esp_err_t err = readHashed(v, address, segment, sizeof(*segment));
	if (ESP_OK != err)
		return err;
	address += sizeof(*segment);
	if (!isSegmentSound(segment, address))
		return ESP_ERR_IMAGE_INVALID;
	image->segment_data[index] = address;
	for (uint32_t done = 0; done < segment->data_len;) {
		uint32_t use = segment->data_len - done < READ_BYTES ? segment->data_len - done : READ_BYTES;
		err = readHashed(v, address + done, bytes, use);
		if (ESP_OK != err)
			return err;
		for (uint32_t i = 0; i < use; i++)
			v->checksum ^= bytes[i];
		done += use;
	}
	image->image_len += sizeof(*segment) + segment->data_len;
	return ESP_OK;
}

static esp_err_t checkChecksum(struct Verification *v)
{
	uint8_t bytes[16];
	esp_image_metadata_t *image = v->image;
	uint32_t count = 16 - image->image_len % 16;
	esp_err_t err = readHashed(v, image->start_addr + image->image_len, bytes, count);
	if (ESP_OK != err)
		return err;
	image->image_len += count;
	return v->checksum == bytes[count - 1] ? ESP_OK : ESP_ERR_IMAGE_INVALID;
}

static esp_err_t checkHash(struct Verification *v)
{
	uint8_t digest[ESP_IMAGE_HASH_LEN];
	esp_image_metadata_t *image = v->image;
	if (!image->image.hash_appended)
		return ESP_OK;
	if (0 != chip_flash_read(image->start_addr + image->image_len, image->image_digest, sizeof(digest)))
		return ESP_ERR_IMAGE_FLASH_FAIL;
	image->image_len += sizeof(digest);
	if (0 != mbedtls_sha256_finish(&v->sha, digest))
		return ESP_FAIL;
	return 0 == memcmp(digest, image->image_digest, sizeof(digest)) ? ESP_OK : ESP_ERR_IMAGE_INVALID;
}

static esp_err_t checkImage(struct Verification *v, uint32_t size)
{
	esp_err_t err = checkHeader(v);
	for (uint32_t i = 0; ESP_OK == err && i < v->image->image.segment_count; i++) {
		err = checkSegment(v, i);
		if (ESP_OK == err && v->image->image_len > FLASH_ADDRESS_MAX)
			err = ESP_ERR_IMAGE_INVALID;
	}
	if (ESP_OK == err)
		err = checkChecksum(v);
	if (ESP_OK == err)
		err = checkHash(v);
	if (ESP_OK == err && v->image->image_len > size)
		err = ESP_ERR_IMAGE_INVALID;
	return err;
}

esp_err_t esp_image_verify(esp_image_load_mode_t mode, const esp_partition_pos_t *part, esp_image_metadata_t *data)
{
	struct Verification v = { .checksum = CHECKSUM_INITIAL, .image = data };
	(void)mode;
	if (!part || !data || part->size > FLASH_ADDRESS_MAX)
		return ESP_ERR_INVALID_ARG;
	memset(data, 0, sizeof(*data));
	data->start_addr = part->offset;
	mbedtls_sha256_init(&v.sha);
	esp_err_t err = mbedtls_sha256_starts(&v.sha, 0);
	if (ESP_OK == err)
		err = checkImage(&v, part->size);
	mbedtls_sha256_free(&v.sha);
	if (ESP_OK != err)
		memset(data, 0, sizeof(*data));
	return err;
}
