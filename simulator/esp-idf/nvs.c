/*
 * nvs_*: ESP-IDF's key-value interface over nvs-log.c. Called by the stand-in for
 * embedded:storage/key-value. It keeps handles and iterators, and no data.
 */

#include "nvs.h"

#include <stdlib.h>
#include <string.h>

#include "nvs-log.h"
#include "nvs_flash.h"

#define HANDLES_MAX 8
#define STRING_BYTES_MAX 4000

struct Handle {
	bool isOpen;
	bool isReadOnly;
	char space[NVS_NS_NAME_MAX_SIZE];
};

struct nvs_opaque_iterator_t {
	uint32_t position;
	nvs_type_t type;
	char space[NVS_NS_NAME_MAX_SIZE];
	struct nvs_log_entry entry;
};

static bool gIsReady;
static struct Handle gHandles[HANDLES_MAX];

esp_err_t nvs_flash_init(void)
{
	if (gIsReady)
		return ESP_OK;
	esp_err_t err = nvs_log_init();
	gIsReady = ESP_OK == err;
	return err;
}

esp_err_t nvs_flash_erase(void)
{
	gIsReady = false;
	memset(gHandles, 0, sizeof(gHandles));
	return nvs_log_erase();
}

/* A namespace without any key is not remembered; there is no need for it to be. */
esp_err_t nvs_open(const char *namespace_name, nvs_open_mode_t open_mode, nvs_handle_t *out_handle)
{
	size_t length = strlen(namespace_name);
	if (!gIsReady)
		return ESP_ERR_NVS_NOT_INITIALIZED;
	if (0 == length || length >= NVS_NS_NAME_MAX_SIZE)
		return ESP_ERR_NVS_INVALID_NAME;
	for (uint32_t i = 0; i < HANDLES_MAX; i++) {
		struct Handle *handle = &gHandles[i];
		if (handle->isOpen)
			continue;
		handle->isOpen = true;
		handle->isReadOnly = NVS_READONLY == open_mode;
		memcpy(handle->space, namespace_name, length + 1);
		*out_handle = i + 1;
		return ESP_OK;
	}
	return ESP_ERR_NO_MEM;
}

static struct Handle *getHandle(nvs_handle_t handle)
{
	if (handle < 1 || handle > HANDLES_MAX || !gHandles[handle - 1].isOpen)
		return NULL;
	return &gHandles[handle - 1];
}

void nvs_close(nvs_handle_t handle)
{
	struct Handle *open = getHandle(handle);
	if (open)
		open->isOpen = false;
}

static esp_err_t checkKey(const char *key)
{
	size_t length = strlen(key);
	if (0 == length)
		return ESP_ERR_NVS_INVALID_NAME;
	return length < NVS_KEY_NAME_MAX_SIZE ? ESP_OK : ESP_ERR_NVS_KEY_TOO_LONG;
}

static esp_err_t put(nvs_handle_t handle, const char *key, uint8_t type, const void *value, size_t length)
{
	struct Handle *open = getHandle(handle);
	if (!open)
		return ESP_ERR_NVS_INVALID_HANDLE;
	if (open->isReadOnly)
		return ESP_ERR_NVS_READ_ONLY;
	esp_err_t err = checkKey(key);
	return ESP_OK == err ? nvs_log_put(open->space, key, type, value, length) : err;
}

/* A value of another type reads as missing. */
static esp_err_t find(nvs_handle_t handle, const char *key, uint8_t type, struct nvs_log_entry *entry)
{
	struct Handle *open = getHandle(handle);
	if (!open)
		return ESP_ERR_NVS_INVALID_HANDLE;
	esp_err_t err = checkKey(key);
	if (ESP_OK != err)
		return err;
	if (!nvs_log_find(open->space, key, entry))
		return ESP_ERR_NVS_NOT_FOUND;
	return NVS_TYPE_ANY == type || entry->type == type ? ESP_OK : ESP_ERR_NVS_NOT_FOUND;
}

#define INTEGER(NAME, C_TYPE, NVS_TYPE)                                                \
	esp_err_t nvs_set_##NAME(nvs_handle_t handle, const char *key, C_TYPE value)       \
	{                                                                                  \
		return put(handle, key, NVS_TYPE, &value, sizeof(value));                      \
	}                                                                                  \
	esp_err_t nvs_get_##NAME(nvs_handle_t handle, const char *key, C_TYPE *out_value)  \
	{                                                                                  \
		struct nvs_log_entry entry;                                                    \
		esp_err_t err = find(handle, key, NVS_TYPE, &entry);                           \
		if (ESP_OK == err)                                                             \
			memcpy(out_value, entry.value, sizeof(*out_value));                        \
		return err;                                                                    \
	}

INTEGER(i8, int8_t, NVS_TYPE_I8)
INTEGER(u8, uint8_t, NVS_TYPE_U8)
INTEGER(i16, int16_t, NVS_TYPE_I16)
INTEGER(u16, uint16_t, NVS_TYPE_U16)
INTEGER(i32, int32_t, NVS_TYPE_I32)
INTEGER(u32, uint32_t, NVS_TYPE_U32)
INTEGER(i64, int64_t, NVS_TYPE_I64)
INTEGER(u64, uint64_t, NVS_TYPE_U64)

esp_err_t nvs_set_str(nvs_handle_t handle, const char *key, const char *value)
{
	size_t length = strlen(value) + 1;
	if (length > STRING_BYTES_MAX)
		return ESP_ERR_NVS_VALUE_TOO_LONG;
	return put(handle, key, NVS_TYPE_STR, value, length);
}

esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *value, size_t length)
{
	return put(handle, key, NVS_TYPE_BLOB, value, length);
}

/* Without a buffer only the length is told. */
static esp_err_t getBytes(nvs_handle_t handle, const char *key, uint8_t type, void *into, size_t *length)
{
	struct nvs_log_entry entry;
	esp_err_t err = find(handle, key, type, &entry);
	if (ESP_OK != err)
		return err;
	if (into && *length < entry.length)
		err = ESP_ERR_NVS_INVALID_LENGTH;
	else if (into)
		memcpy(into, entry.value, entry.length);
	*length = entry.length;
	return err;
}

esp_err_t nvs_get_str(nvs_handle_t handle, const char *key, char *out_value, size_t *length)
{
	return getBytes(handle, key, NVS_TYPE_STR, out_value, length);
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *out_value, size_t *length)
{
	return getBytes(handle, key, NVS_TYPE_BLOB, out_value, length);
}

esp_err_t nvs_find_key(nvs_handle_t handle, const char *key, nvs_type_t *out_type)
{
	struct nvs_log_entry entry;
	esp_err_t err = find(handle, key, NVS_TYPE_ANY, &entry);
	if (ESP_OK == err && out_type)
		*out_type = (nvs_type_t)entry.type;
	return err;
}

esp_err_t nvs_erase_key(nvs_handle_t handle, const char *key)
{
	esp_err_t err = nvs_find_key(handle, key, NULL);
	return ESP_OK == err ? put(handle, key, 0, NULL, 0) : err;
}

/* Key by key: after a cut some may be left. Each erase may move the log, so it begins anew. */
esp_err_t nvs_erase_all(nvs_handle_t handle)
{
	esp_err_t err = ESP_OK;
	nvs_iterator_t iterator = NULL;
	while (ESP_OK == err && ESP_OK == nvs_entry_find_in_handle(handle, NVS_TYPE_ANY, &iterator)) {
		err = nvs_erase_key(handle, iterator->entry.key);
		nvs_release_iterator(iterator);
	}
	return err;
}

esp_err_t nvs_commit(nvs_handle_t handle)
{
	return getHandle(handle) ? ESP_OK : ESP_ERR_NVS_INVALID_HANDLE;
}

esp_err_t nvs_entry_next(nvs_iterator_t *iterator)
{
	nvs_iterator_t it = *iterator;
	while (nvs_log_next(&it->position, &it->entry)) {
		if (0 == strcmp(it->entry.space, it->space) && (NVS_TYPE_ANY == it->type || it->entry.type == it->type))
			return ESP_OK;
	}
	free(it);
	*iterator = NULL;
	return ESP_ERR_NVS_NOT_FOUND;
}

esp_err_t nvs_entry_find_in_handle(nvs_handle_t handle, nvs_type_t type, nvs_iterator_t *output_iterator)
{
	struct Handle *open = getHandle(handle);
	*output_iterator = NULL;
	if (!open)
		return ESP_ERR_NVS_INVALID_HANDLE;
	nvs_iterator_t it = calloc(1, sizeof(*it));
	if (!it)
		return ESP_ERR_NO_MEM;
	it->type = type;
	memcpy(it->space, open->space, sizeof(it->space));
	*output_iterator = it;
	return nvs_entry_next(output_iterator);
}

esp_err_t nvs_entry_info(const nvs_iterator_t iterator, nvs_entry_info_t *out_info)
{
	if (!iterator || !out_info)
		return ESP_ERR_INVALID_ARG;
	memcpy(out_info->namespace_name, iterator->space, sizeof(out_info->namespace_name));
	memcpy(out_info->key, iterator->entry.key, sizeof(out_info->key));
	out_info->type = (nvs_type_t)iterator->entry.type;
	return ESP_OK;
}

void nvs_release_iterator(nvs_iterator_t iterator)
{
	free(iterator);
}
