/*
 * The iterator over the keys of a key-value store: C of `Symbol.iterator` of the
 * "embedded:storage/key-value" stand-in. Knows the store by its NVS handle only.
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#include "esp_err.h"
#include "nvs.h"

#include "sim-key-value.h"

struct storage_iterator {
	nvs_iterator_t iterator;
};

void xs_key_value_iterator_destructor(void *data)
{
	struct storage_iterator *iterator = data;
	if (!iterator)
		return;
	if (iterator->iterator)
		nvs_release_iterator(iterator->iterator);
	free(iterator);
}

void xs_key_value_iterator_open(xsMachine *the)
{
	nvs_handle_t handle = key_value_handle(the, &xsArg(0));
	struct storage_iterator *iterator = calloc(1, sizeof(*iterator));
	if (!iterator)
		xsRangeError("no memory");
	xsmcSetHostData(xsThis, iterator);
	esp_err_t error = nvs_entry_find_in_handle(handle, NVS_TYPE_ANY, &iterator->iterator);
	if (error != ESP_ERR_NVS_NOT_FOUND)
		key_value_throw_if(the, error);
}

static void iterator_result(xsMachine *the, const char *key)
{
	xsmcVars(2);
	xsmcSetBoolean(xsVar(0), key == NULL);
	if (key)
		xsmcSetString(xsVar(1), (xsStringValue)key);
	xsmcSetNewObject(xsResult);
	xsmcDefine(xsResult, xsID_done, xsVar(0), xsDefault);
	xsmcDefine(xsResult, xsID_value, xsVar(1), xsDefault);
}

void xs_key_value_iterator_next(xsMachine *the)
{
	struct storage_iterator *iterator =
		xsmcGetHostDataValidate(xsThis, (void *)xs_key_value_iterator_destructor);
	nvs_entry_info_t info;
	if (!iterator || !iterator->iterator) {
		iterator_result(the, NULL);
		return;
	}
	key_value_throw_if(the, nvs_entry_info(iterator->iterator, &info));
	esp_err_t error = nvs_entry_next(&iterator->iterator);
	if (iterator->iterator)
		key_value_throw_if(the, error);
	iterator_result(the, info.key);
}

void xs_key_value_iterator_return(xsMachine *the)
{
	struct storage_iterator *iterator =
		xsmcGetHostDataValidate(xsThis, (void *)xs_key_value_iterator_destructor);
	if (iterator && iterator->iterator) {
		nvs_release_iterator(iterator->iterator);
		iterator->iterator = NULL;
	}
	iterator_result(the, NULL);
}
