/*
 * The part of Moddable's global typings that src/native needs, with the names and
 * shapes of the SDK's own xs/includes/xs.d.ts, so that the same sources pass tsc
 * here, where there is no SDK, and under mcconfig, where the SDK's file takes this
 * one's place.
 */

/** Base class whose instances own native state; `name` is the C destructor. */
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own declaration
declare function Native(name: string): new (...args: any[]) => any;

/** The C function `name`; always used as `native("xs_name").call(this, …)`. */
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own declaration
declare function native(name: string): (...args: any[]) => any;
