/* The simulator's own header: where the SDK expects nvs_flash.h. */
#pragma once
#include "../../nvs_flash.h"
