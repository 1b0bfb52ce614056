/*
 * `xs-fota-sim compile`: JavaScript modules to XS bytecode, with XS's own parser,
 * written as a payload archive (archive.h). Also the build's first tool: the
 * module stand-ins are compiled by it into the simulator. Starts no machine.
 */
#include "xsScript.h"

#include "archive.h"
#include "compile.h"

#define SOURCE_BYTES_MAX (8u * 1024u * 1024u)
#define PARSER_BUFFER_BYTES (256 * 1024)
#define PARSER_MODULO 1993

struct output {
	uint8_t *bytes;
	size_t length;
	size_t capacity;
};

static const char compile_help[] =
	"usage: xs-fota-sim compile --output FILE --entry SPECIFIER SPECIFIER=PATH.js ...\n"
	"\n"
	"Compiles JavaScript modules (what tsc writes) to XS bytecode and puts them into a\n"
	"payload archive for a firmware image. SPECIFIER is the name the module is imported\n"
	"by, without .js: src/update/machine.js is usually update/machine. The entry is the\n"
	"module that runs at boot; if its default export is a function, it is called.\n";

static int fail(const char *format, const char *detail)
{
	fprintf(stderr, "xs-fota-sim compile: ");
	fprintf(stderr, format, detail);
	fprintf(stderr, "\n");
	return 1;
}

static void append(struct output *output, const void *bytes, size_t length)
{
	if (output->length + length > output->capacity) {
		output->capacity = (output->length + length) * 2;
		output->bytes = realloc(output->bytes, output->capacity);
		if (!output->bytes)
			exit(fail("%s", "out of memory"));
	}
	if (length)
		memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
}

static void put32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static void append32(struct output *output, uint32_t value)
{
	uint8_t bytes[4];
	put32(bytes, value);
	append(output, bytes, sizeof(bytes));
}

static void report_error(void *console, txString path, txInteger line, txString format,
	va_list arguments)
{
	(void)console;
	fprintf(stderr, "%s:%d: ", path ? path : "?", (int)line);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
}

static void ignore_warning(void *console, txString path, txInteger line, txString format,
	va_list arguments)
{
	(void)console;
	(void)path;
	(void)line;
	(void)format;
	(void)arguments;
}

static txScript *parse(const char *path)
{
	txParser parser;
	txParserJump jump;
	txScript *volatile script = NULL;
	txString map_name = NULL;
	FILE *file = fopen(path, "r");
	if (!file)
		return NULL;
	fxInitializeParser(&parser, NULL, PARSER_BUFFER_BYTES, PARSER_MODULO);
	parser.firstJump = &jump;
	parser.reportError = report_error;
	parser.reportWarning = ignore_warning;
	if (setjmp(jump.jmp_buf) == 0) {
		parser.path = fxNewParserSymbol(&parser, (txString)path);
		fxParserTree(&parser, file, (txGetter)fgetc, 0, &map_name);
		if (parser.errorCount == 0) {
			fxParserHoist(&parser);
			fxParserBind(&parser);
			script = fxParserCode(&parser);
		}
	}
	fxTerminateParser(&parser);
	fclose(file);
	return script;
}

static int append_module(struct output *output, const char *specifier, const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
		return fail("%s: no such file (did tsc run?)", path);
	if (info.st_size > (off_t)SOURCE_BYTES_MAX)
		return fail("%s: longer than 8 MiB", path);
	txScript *script = parse(path);
	if (!script)
		return fail("%s: not compiled", path);
	append32(output, (uint32_t)strlen(specifier));
	append32(output, (uint32_t)script->symbolsSize);
	append32(output, (uint32_t)script->codeSize);
	append(output, specifier, strlen(specifier) + 1);
	append(output, script->symbolsBuffer, (size_t)script->symbolsSize);
	append(output, script->codeBuffer, (size_t)script->codeSize);
	fxDeleteScript(script);
	return 0;
}

static int append_all(struct output *output, int count, char **pairs, const char *entry)
{
	uint32_t entry_index = UINT32_MAX;
	for (int i = 0; i < count; i++) {
		char specifier[ARCHIVE_SPECIFIER_MAX + 1];
		const char *equals = strchr(pairs[i], '=');
		if (!equals || equals == pairs[i] || !equals[1])
			return fail("%s: expected SPECIFIER=PATH.js", pairs[i]);
		size_t length = (size_t)(equals - pairs[i]);
		if (length > ARCHIVE_SPECIFIER_MAX)
			return fail("%s: the specifier is longer than 255 bytes", pairs[i]);
		memcpy(specifier, pairs[i], length);
		specifier[length] = 0;
		for (int j = 0; j < i; j++) {
			if (!strncmp(pairs[j], pairs[i], length + 1))
				return fail("%s: the specifier is given twice", specifier);
		}
		if (!strcmp(specifier, entry))
			entry_index = (uint32_t)i;
		if (append_module(output, specifier, equals + 1))
			return 1;
	}
	if (entry_index == UINT32_MAX)
		return fail("--entry %s is none of the modules", entry);
	put32(output->bytes + 24, entry_index);
	return 0;
}

static int write_archive(struct output *output, int module_count, const char *path)
{
	static const uint8_t version[4] = { XS_MAJOR_VERSION, XS_MINOR_VERSION, XS_PATCH_VERSION, 0 };
	memcpy(output->bytes, ARCHIVE_MAGIC, 4);
	put32(output->bytes + 4, ARCHIVE_VERSION);
	put32(output->bytes + 8, (uint32_t)output->length);
	memcpy(output->bytes + 16, version, 4);
	put32(output->bytes + 20, (uint32_t)module_count);
	put32(output->bytes + 12, archive_crc32(output->bytes + 16, output->length - 16));
	FILE *file = fopen(path, "wb");
	if (!file)
		return fail("%s: cannot be written", path);
	size_t written = fwrite(output->bytes, 1, output->length, file);
	if (fclose(file) != 0 || written != output->length)
		return fail("%s: cannot be written (disk full?)", path);
	return 0;
}

int compile_main(int argc, char **argv)
{
	const char *path = NULL, *entry = NULL;
	int at = 0;
	while (at < argc && argv[at][0] == '-') {
		if (!strcmp(argv[at], "--help")) {
			fputs(compile_help, stdout);
			return 0;
		}
		if (at + 1 < argc && !strcmp(argv[at], "--output"))
			path = argv[at + 1];
		else if (at + 1 < argc && !strcmp(argv[at], "--entry"))
			entry = argv[at + 1];
		else
			return fail("%s: unknown option or no value; see --help", argv[at]);
		at += 2;
	}
	if (!path || !entry || at == argc)
		return fail("%s", "--output, --entry and at least one module are needed; see --help");
	if (argc - at > (int)ARCHIVE_MODULES_MAX)
		return fail("%s", "more than 256 modules");
	struct output output = { 0 };
	uint8_t header[ARCHIVE_HEADER_BYTES] = { 0 };
	append(&output, header, sizeof(header));
	int result = append_all(&output, argc - at, argv + at, entry);
	if (result == 0)
		result = write_archive(&output, argc - at, path);
	free(output.bytes);
	return result;
}
