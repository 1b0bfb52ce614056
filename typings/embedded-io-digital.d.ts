// The part of Moddable's digital pins that is used. Source: Moddable SDK 8.2.3, modules/io/digital/digital.js.

declare module "embedded:io/digital" {
	export interface DigitalOptions {
		readonly pin: number;
		/** {@link Digital.Output}. */
		readonly mode: number;
		/** 1 is the low level. */
		readonly activeLow?: boolean;
		readonly initialValue?: 0 | 1;
	}

	export default class Digital {
		static readonly Output: number;
		/** Throws for a pin that is none, or in use. */
		constructor(options: DigitalOptions);
		write(value: 0 | 1): void;
		/** Idempotent. Frees the pin. */
		close(): void;
	}
}
