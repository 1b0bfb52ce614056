/*
 * C of the "embedded:storage/key-value" stand-in over nvs_*, with the behaviour of
 * Moddable's on the ESP32: a commit a write, integers need the exact stored type
 * (another one reads as missing), strings and buffers throw on another type.
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#include "esp_err.h"
#include "nvs.h"
#include "nvs_flash.h"

#include "io-options.h"
#include "sim-key-value.h"

#define PATH_BYTES 64
#define KEY_BYTES 64

struct storage {
	nvs_handle_t handle;
	uint8_t format;
	bool is_read_only;
};

void key_value_throw_if(xsMachine *the, esp_err_t error)
{
	if (error != ESP_OK)
		xsUnknownError("%s", (char *)esp_err_to_name(error));
}

void xs_key_value_destructor(void *data)
{
	struct storage *storage = data;
	if (!storage)
		return;
	nvs_close(storage->handle);
	free(storage);
}

static struct storage *this_storage(xsMachine *the)
{
	struct storage *storage = xsmcGetHostDataValidate(xsThis, (void *)xs_key_value_destructor);
	if (!storage)
		xsUnknownError("closed");
	return storage;
}

nvs_handle_t key_value_handle(xsMachine *the, xsSlot *slot)
{
	struct storage *storage = xsmcGetHostDataValidate(*slot, (void *)xs_key_value_destructor);
	if (!storage)
		xsUnknownError("closed");
	return storage->handle;
}

static void path_option(xsMachine *the, char *path)
{
	xsmcVars(1);
	if (!xsmcHas(xsArg(0), xsID_path))
		xsUnknownError("no path");
	xsmcGet(xsVar(0), xsArg(0), xsID_path);
	xsmcToStringBuffer(xsVar(0), path, PATH_BYTES);
	size_t length = strlen(path);
	if (length == 0)
		xsUnknownError("invalid");
	if (path[length - 1] == '/')
		path[length - 1] = 0;
}

static bool read_only_option(xsMachine *the)
{
	if (!xsmcHas(xsArg(0), xsID_mode))
		return false;
	xsmcGet(xsVar(0), xsArg(0), xsID_mode);
	const char *mode = xsmcToString(xsVar(0));
	if (!strcmp(mode, "r"))
		return true;
	if (strcmp(mode, "r+") != 0)
		xsUnknownError("invalid mode");
	return false;
}

void xs_key_value_open(xsMachine *the)
{
	char path[PATH_BYTES];
	nvs_handle_t handle = 0;
	path_option(the, path);
	bool is_read_only = read_only_option(the);
	uint8_t format = io_option_format(the, IO_FORMAT_BUFFER);
	if (format == IO_FORMAT_INVALID)
		xsRangeError("unsupported");
	key_value_throw_if(the, nvs_open(path, is_read_only ? NVS_READONLY : NVS_READWRITE, &handle));
	struct storage *storage = calloc(1, sizeof(*storage));
	if (!storage) {
		nvs_close(handle);
		xsRangeError("no memory");
	}
	storage->handle = handle;
	storage->format = format;
	storage->is_read_only = is_read_only;
	xsmcSetHostData(xsThis, storage);
}

void xs_key_value_close(xsMachine *the)
{
	if (!xsmcGetHostData(xsThis))
		return;
	struct storage *storage = this_storage(the);
	xsmcSetHostData(xsThis, NULL);
	xsmcSetHostDestructor(xsThis, NULL);
	xs_key_value_destructor(storage);
}

void xs_key_value_delete(xsMachine *the)
{
	char key[KEY_BYTES];
	xsmcToStringBuffer(xsArg(0), key, sizeof(key));
	struct storage *storage = this_storage(the);
	if (storage->is_read_only)
		xsUnknownError("read-only");
	esp_err_t error = nvs_erase_key(storage->handle, key);
	key_value_throw_if(the, error == ESP_ERR_NVS_NOT_FOUND ? ESP_OK : error);
	key_value_throw_if(the, nvs_commit(storage->handle));
}

/* True if the key holds a value of that type; throws if it holds another. */
static bool has_value(xsMachine *the, nvs_handle_t handle, const char *key, nvs_type_t expected)
{
	nvs_type_t type;
	esp_err_t error = nvs_find_key(handle, key, &type);
	if (error == ESP_ERR_NVS_NOT_FOUND)
		return false;
	key_value_throw_if(the, error);
	if (type != expected)
		xsTypeError("mismatch");
	return true;
}

static void read_buffer(xsMachine *the, nvs_handle_t handle, const char *key)
{
	size_t length = 0;
	void *bytes;
	xsUnsignedValue room;
	if (!has_value(the, handle, key, NVS_TYPE_BLOB))
		return;
	key_value_throw_if(the, nvs_get_blob(handle, key, NULL, &length));
	if (xsmcArgc > 1 && xsmcTypeOf(xsArg(1)) != xsUndefinedType) {
		xsmcGetBufferWritable(xsArg(1), &bytes, &room);
		if (room < length)
			xsRangeError("buffer too small");
		xsmcSetInteger(xsResult, (xsIntegerValue)length);
	} else {
		bytes = xsmcSetArrayBuffer(xsResult, NULL, (xsIntegerValue)length);
	}
	key_value_throw_if(the, nvs_get_blob(handle, key, bytes, &length));
}

static void read_string(xsMachine *the, nvs_handle_t handle, const char *key)
{
	size_t length = 0;
	if (!has_value(the, handle, key, NVS_TYPE_STR))
		return;
	key_value_throw_if(the, nvs_get_str(handle, key, NULL, &length));
	char *text = malloc(length + 1);
	if (!text)
		xsRangeError("no memory");
	esp_err_t error = nvs_get_str(handle, key, text, &length);
	text[length] = 0;
	if (error == ESP_OK)
		xsmcSetString(xsResult, text);
	free(text);
	key_value_throw_if(the, error);
}

#define READ_INTEGER(TYPE, CALL, SET) { \
	TYPE value = 0; \
	error = CALL(handle, key, &value); \
	if (error == ESP_OK) \
		SET(xsResult, value); \
	break; \
}

static void read_integer(xsMachine *the, nvs_handle_t handle, const char *key, uint8_t format)
{
	esp_err_t error = ESP_OK;
	switch (format) {
	case IO_FORMAT_UINT8: READ_INTEGER(uint8_t, nvs_get_u8, xsmcSetInteger)
	case IO_FORMAT_INT8: READ_INTEGER(int8_t, nvs_get_i8, xsmcSetInteger)
	case IO_FORMAT_UINT16: READ_INTEGER(uint16_t, nvs_get_u16, xsmcSetInteger)
	case IO_FORMAT_INT16: READ_INTEGER(int16_t, nvs_get_i16, xsmcSetInteger)
	case IO_FORMAT_UINT32: READ_INTEGER(uint32_t, nvs_get_u32, xsmcSetNumber)
	case IO_FORMAT_INT32: READ_INTEGER(int32_t, nvs_get_i32, xsmcSetInteger)
	default: xsUnknownError("unexpected");
	}
	if (error != ESP_ERR_NVS_NOT_FOUND)
		key_value_throw_if(the, error);
}

void xs_key_value_read(xsMachine *the)
{
	char key[KEY_BYTES];
	xsmcToStringBuffer(xsArg(0), key, sizeof(key));
	struct storage *storage = this_storage(the);
	switch (storage->format) {
	case IO_FORMAT_BUFFER: read_buffer(the, storage->handle, key); break;
	case IO_FORMAT_STRING: read_string(the, storage->handle, key); break;
	default: read_integer(the, storage->handle, key, storage->format); break;
	}
}

static esp_err_t write_integer(xsMachine *the, nvs_handle_t handle, const char *key, uint8_t format)
{
	xsNumberValue number = xsmcToNumber(xsArg(1));
	xsIntegerValue value = xsmcToInteger(xsArg(1));
	switch (format) {
	case IO_FORMAT_UINT8: return nvs_set_u8(handle, key, (uint8_t)value);
	case IO_FORMAT_INT8: return nvs_set_i8(handle, key, (int8_t)value);
	case IO_FORMAT_UINT16: return nvs_set_u16(handle, key, (uint16_t)value);
	case IO_FORMAT_INT16: return nvs_set_i16(handle, key, (int16_t)value);
	case IO_FORMAT_INT32: return nvs_set_i32(handle, key, value);
	case IO_FORMAT_UINT32:
		return nvs_set_u32(handle, key, number >= 0 && number <= UINT32_MAX ? (uint32_t)number
			: (uint32_t)value);
	default: xsUnknownError("unexpected");
	}
	return ESP_FAIL;
}

void xs_key_value_write(xsMachine *the)
{
	char key[KEY_BYTES];
	void *bytes;
	xsUnsignedValue length;
	xsmcToStringBuffer(xsArg(0), key, sizeof(key));
	struct storage *storage = this_storage(the);
	if (storage->is_read_only)
		xsUnknownError("read-only");
	if (storage->format == IO_FORMAT_BUFFER) {
		xsmcGetBufferReadable(xsArg(1), &bytes, &length);
		key_value_throw_if(the, nvs_set_blob(storage->handle, key, bytes, length));
	} else if (storage->format == IO_FORMAT_STRING) {
		key_value_throw_if(the, nvs_set_str(storage->handle, key, xsmcToString(xsArg(1))));
	} else {
		key_value_throw_if(the, write_integer(the, storage->handle, key, storage->format));
	}
	key_value_throw_if(the, nvs_commit(storage->handle));
}

void xs_key_value_get_format(xsMachine *the)
{
	io_format_to_string(the, this_storage(the)->format);
}

void xs_key_value_set_format(xsMachine *the)
{
	uint8_t format = io_format_from_string(the, &xsArg(0));
	if (format == IO_FORMAT_NUMBER || format == IO_FORMAT_SOCKET_TCP)
		xsRangeError("unsupported");
	this_storage(the)->format = format;
}
