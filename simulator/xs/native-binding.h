/*
 * native("xs_name") and Native("xs_name_destructor"), which on the chip the
 * compiler recognises and here are two global functions.
 */
#ifndef FOTA_NATIVE_BINDING_H
#define FOTA_NATIVE_BINDING_H

struct sxMachine;

/* Makes a host function for every C function in the generated table, and the two
 * globals. Once a machine, before any module runs. */
void native_binding_install(struct sxMachine *the);

/* The generated tables (natives.c), sorted by name. */
struct native_function {
	const char *name;
	void (*call)(struct sxMachine *the);
};

struct native_destructor {
	const char *name;
	void (*call)(void *data);
};

extern const struct native_function native_functions[];
extern const unsigned native_function_count;
extern const struct native_destructor native_destructors[];
extern const unsigned native_destructor_count;

/* The xsID_… of every C file (mc.xs.h), resolved when the machine starts. */
extern const char *const native_id_names[];
extern const unsigned native_id_count;

#endif
