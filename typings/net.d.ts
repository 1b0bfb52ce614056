// The part of Moddable's name resolution that is used, as its implementation over lwip behaves: the resolver that DHCP
// has named, one question at a time, four tries of about a second each.
// Source: Moddable SDK 8.2.3, modules/network/net/net.js and esp/modResolve.c.

declare module "net" {
	export default class Net {
		private constructor();
		/** Calls back once, later, with undefined for a name without address. Cannot be called off. */
		static resolve(name: string, callback: (name: string, address: string | undefined) => void): void;
	}
}
