/*
 * See native-binding.h. `class X extends Native("d")` gets a base constructor
 * whose instances are host objects with destructor d, made on new.target's
 * prototype, so that X's fields and private fields are added as to any object.
 * It must not know what the natives do.
 */
#include "xsAll.h"

#include "memory-marks.h"
#include "native-binding.h"

#define CONSTRUCTORS_MAX 64

txID simulator_ids[1024];

static txSlot *functions; /* one host function a table row, remembered for good */
static txSlot constructors[CONSTRUCTORS_MAX];
static txDestructor constructor_destructors[CONSTRUCTORS_MAX];
static unsigned constructor_count;

static int find_function(const char *name)
{
	int low = 0, high = (int)native_function_count - 1;
	while (low <= high) {
		int middle = (low + high) / 2;
		int order = strcmp(name, native_functions[middle].name);
		if (order == 0)
			return middle;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return -1;
}

static txDestructor find_destructor(const char *name)
{
	for (unsigned i = 0; i < native_destructor_count; i++) {
		if (!strcmp(name, native_destructors[i].name))
			return native_destructors[i].call;
	}
	return NULL;
}

static const char *name_argument(txMachine *the)
{
	if (mxArgc < 1 || (mxArgv(0)->kind != XS_STRING_KIND && mxArgv(0)->kind != XS_STRING_X_KIND))
		mxTypeError("native: the name must be a string");
	return mxArgv(0)->value.string;
}

static void native_function(txMachine *the)
{
	const char *name = name_argument(the);
	int at = find_function(name);
	if (at < 0)
		mxReferenceError("native: there is no C function %s", name);
	memory_marks_call(the);
	*mxResult = functions[at];
	mxResult->next = NULL;
}

static void construct(txMachine *the)
{
	txDestructor destructor = NULL;
	if (mxIsUndefined(mxTarget))
		mxTypeError("call: class");
	for (unsigned i = 0; i < constructor_count; i++) {
		if (constructors[i].value.reference == mxFunction->value.reference)
			destructor = constructor_destructors[i];
	}
	if (!destructor)
		mxTypeError("Native: unknown constructor");
	mxPushSlot(mxTarget);
	fxGetPrototypeFromConstructor(the, &mxObjectPrototype);
	txSlot *instance = fxNewHostObject(the, destructor);
	instance->value.instance.prototype = (the->stack + 1)->value.reference;
	mxPullSlot(mxResult);
	mxPop();
}

static void native_constructor(txMachine *the)
{
	const char *name = name_argument(the);
	txDestructor destructor = find_destructor(name);
	if (!destructor)
		mxReferenceError("Native: there is no C destructor %s", name);
	if (constructor_count == CONSTRUCTORS_MAX)
		mxRangeError("Native: too many classes");
	fxNewObject(the);
	fxNewHostConstructor(the, construct, 0, XS_NO_ID);
	mxPullSlot(mxResult);
	txSlot *slot = &constructors[constructor_count];
	*slot = *mxResult;
	fxRemember(the, slot);
	constructor_destructors[constructor_count++] = destructor;
}

static void define_global(txMachine *the, const char *name, txCallback call)
{
	fxNewHostFunction(the, call, 1, XS_NO_ID, XS_NO_ID);
	mxPush(mxGlobal);
	fxDefineID(the, fxID(the, (txString)name), XS_DONT_ENUM_FLAG,
		XS_DONT_ENUM_FLAG | XS_DONT_DELETE_FLAG | XS_DONT_SET_FLAG);
	mxPop();
}

void native_binding_install(txMachine *the)
{
	if (native_id_count > sizeof(simulator_ids) / sizeof(simulator_ids[0]))
		abort();
	for (unsigned i = 0; i < native_id_count; i++)
		simulator_ids[i] = fxID(the, (txString)native_id_names[i]);
	functions = calloc(native_function_count + 1, sizeof(txSlot));
	if (!functions)
		abort();
	for (unsigned i = 0; i < native_function_count; i++) {
		fxNewHostFunction(the, native_functions[i].call, 0, XS_NO_ID, XS_NO_ID);
		functions[i] = *the->stack;
		fxRemember(the, &functions[i]);
		mxPop();
	}
	define_global(the, "native", native_function);
	define_global(the, "Native", native_constructor);
}
