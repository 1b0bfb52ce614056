/*
 * Stand-in for Moddable's "embedded:io/digital", outputs only: each change of a pin is a line of the simulator. As there,
 * a chip with one bank of pins takes a number beyond it modulo 32.
 */
class Digital {
	#pin;
	#isActiveLow;
	#isClosed = false;
	#isHigh;

	constructor(options) {
		const { pin, mode } = options;
		if (pin === undefined) throw new Error("invalid");
		if (mode !== Digital.Output && mode !== Digital.OutputOpenDrain) throw new RangeError("invalid mode");
		this.#pin = native("xs_digital_output").call(this, pin);
		if (this.#pin === undefined) throw new Error("invalid pin");
		this.#isActiveLow = Boolean(options.activeLow);
		this.#set(options.initialValue ?? 0);
	}

	write(value) {
		if (this.#isClosed) throw new Error("closed");
		this.#set(value);
	}

	close() {
		this.#isClosed = true;
	}

	#set(value) {
		const isHigh = Boolean(Number(value)) !== this.#isActiveLow;
		if (isHigh === this.#isHigh) return;
		this.#isHigh = isHigh;
		native("xs_digital_set").call(this, this.#pin, isHigh);
	}
}

Digital.Output = 8;
Digital.OutputOpenDrain = 9;

export default Digital;
