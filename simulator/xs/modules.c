/*
 * Finds and loads modules for XS (fxFindModule, fxLoadModule) out of two payload
 * archives: the application's and the built-in stand-ins. Specifiers as mcconfig
 * has them: "update/machine", relative ones resolved against the importer, a
 * trailing .js or .mjs cut. It must not know where the archive came from.
 */
#include "xsAll.h"

#include "archive.h"
#include "chip.h"
#include "modules.h"

extern uint8_t builtin_archive_start[], builtin_archive_end[];

static struct archive application, builtin;
static const uint8_t xs_version[3] = { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION };

const char *modules_open(const uint8_t *payload, size_t length)
{
	size_t builtin_bytes = (size_t)(builtin_archive_end - builtin_archive_start);
	const char *problem = archive_parse(&builtin, builtin_archive_start, builtin_bytes, xs_version);
	if (problem) {
		fprintf(stderr, "xs-fota-sim: built-in modules: %s\n", problem);
		abort();
	}
	uint8_t *copy = malloc(length ? length : 1);
	if (!copy)
		return "out of memory";
	memcpy(copy, payload, length);
	problem = archive_parse(&application, copy, length, xs_version);
	if (problem)
		free(copy);
	return problem;
}

const char *modules_entry(void)
{
	return application.module[application.entry].specifier;
}

uint32_t modules_code_bytes(void)
{
	return archive_code_bytes(&application);
}

/* Code and string constants stay where they are instead of being copied to the
 * heap, as in a linked image on the chip. */
static txU1 archive_opcode(txU1 opcode)
{
	switch (opcode) {
	case XS_CODE_CODE_1: return XS_CODE_CODE_ARCHIVE_1;
	case XS_CODE_CODE_2: return XS_CODE_CODE_ARCHIVE_2;
	case XS_CODE_CODE_4: return XS_CODE_CODE_ARCHIVE_4;
	case XS_CODE_STRING_1: return XS_CODE_STRING_ARCHIVE_1;
	case XS_CODE_STRING_2: return XS_CODE_STRING_ARCHIVE_2;
	case XS_CODE_STRING_4: return XS_CODE_STRING_ARCHIVE_4;
	default: return opcode;
	}
}

/* The length of the instruction at p, or 0 where it does not fit into the code.
 * gxCodeSizes: > 0 fixed, 0 carries an id, -1 / -2 / -4 a counted operand. */
static size_t instruction_bytes(const txU1 *p, size_t left)
{
	int size = *p < XS_CODE_COUNT ? gxCodeSizes[*p] : 1;
	size_t bytes = size > 0 ? (size_t)size : 1 + sizeof(txID);
	if (size < 0) {
		size_t prefix = (size_t)-size, count = 0;
		if (left < 1 + prefix)
			return 0;
		for (size_t i = 0; i < prefix; i++)
			count |= (size_t)p[1 + i] << (8 * i);
		bytes = 1 + prefix + count;
	}
	return bytes <= left ? bytes : 0;
}

static void link_code(const struct archive_module *module, const txID *ids, txID id_count)
{
	txU1 *p = module->code, *end = p + module->code_bytes;
	while (p < end) {
		size_t bytes = instruction_bytes(p, (size_t)(end - p));
		if (bytes == 0) {
			chip_log("cpu", "module %s: damaged bytecode", module->specifier);
			chip_reset(CHIP_RESET_PANIC);
		}
		if (gxCodeSizes[*p] == 0) {
			txID id;
			memcpy(&id, p + 1, sizeof(id));
			id = id > 0 && id < id_count ? ids[id] : XS_NO_ID;
			memcpy(p + 1, &id, sizeof(id));
		}
		*p = archive_opcode(*p);
		p += bytes;
	}
}

static void link_module(txMachine *the, const struct archive_module *module)
{
	txID count;
	memcpy(&count, module->symbols, sizeof(count));
	txID *ids = calloc((size_t)count, sizeof(txID));
	if (!ids)
		abort();
	char *name = (char *)module->symbols + sizeof(count);
	for (txID i = 1; i < count; i++) {
		ids[i] = fxNewNameX(the, name);
		name += strlen(name) + 1;
	}
	link_code(module, ids, count);
	free(ids);
}

void modules_link(txMachine *the)
{
	for (uint32_t i = 0; i < builtin.module_count; i++)
		link_module(the, &builtin.module[i]);
	for (uint32_t i = 0; i < application.module_count; i++)
		link_module(the, &application.module[i]);
}

void modules_preload(txMachine *the)
{
	for (uint32_t i = 0; i < application.module_count; i++) {
		if (i == application.entry)
			continue;
		mxPushStringC((txString)application.module[i].specifier);
		fxAwaitImport(the, XS_IMPORT_NAMESPACE);
		mxPop();
	}
}

static const struct archive_module *find(const char *specifier)
{
	const struct archive_module *module = archive_find(&application, specifier);
	return module ? module : archive_find(&builtin, specifier);
}

static void cut_extension(char *name)
{
	char *slash = strrchr(name, '/');
	char *dot = strrchr(slash ? slash : name, '.');
	if (dot && (!strcmp(dot, ".js") || !strcmp(dot, ".mjs")))
		*dot = 0;
}

/* "./x" and "../x" against the importer's folder. False: leaves the tree. */
static bool resolve(const char *importer, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s", importer);
	char *slash = strrchr(path, '/');
	*(slash ? slash : path) = 0;
	while (name[0] == '.') {
		if (!strncmp(name, "./", 2)) {
			name += 2;
		} else if (!strncmp(name, "../", 3)) {
			if (!*path)
				return false;
			slash = strrchr(path, '/');
			*(slash ? slash : path) = 0;
			name += 3;
		} else {
			return false;
		}
	}
	size_t length = strlen(path);
	int written = snprintf(path + length, size - length, "%s%s", length ? "/" : "", name);
	return written >= 0 && (size_t)written < size - length;
}

txID fxFindModule(txMachine *the, txSlot *realm, txID module_id, txSlot *slot)
{
	char name[ARCHIVE_SPECIFIER_MAX + 16], path[2 * sizeof(name)];
	(void)realm;
	fxToStringBuffer(the, slot, name, sizeof(name));
	cut_extension(name);
	if (name[0] == '.') {
		if (module_id == XS_NO_ID)
			return XS_NO_ID;
		if (!resolve(fxGetKeyName(the, module_id), name, path, sizeof(path)))
			return XS_NO_ID;
	} else {
		snprintf(path, sizeof(path), "%s", name);
	}
	return find(path) ? fxNewNameC(the, path) : XS_NO_ID;
}

void fxLoadModule(txMachine *the, txSlot *slot, txID module_id)
{
	const struct archive_module *module = find(fxGetKeyName(the, module_id));
	if (!module)
		return;
	txScript script = {
		.codeBuffer = (txS1 *)module->code,
		.codeSize = (txSize)module->code_bytes,
		.path = (txString)module->specifier,
		.version = { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 },
	};
	fxResolveModule(the, slot, module_id, &script, C_NULL, C_NULL);
}

/* eval and Function are stripped on the chip. */
txScript *fxParseScript(txMachine *the, void *stream, txGetter getter, txUnsigned flags)
{
	(void)stream;
	(void)getter;
	(void)flags;
	mxTypeError("no parser on the device");
	return C_NULL;
}
