// The supply of a fake device: counts everything that changes flash or storage, and fails at the operation it is told
// to. After a cut every port is dead, as on the chip; what the code under test does with the exception does not matter.
export class PowerCut extends Error {}

/** Half: the beginning is done. Scattered: of the bits to be cleared where power goes, each is or is not, by the seed. */
export type CutMode = "before" | "half" | "scattered" | "after";
export type Operation = "erase" | "program" | "record" | "store";

export class Power {
	/** Operations since the device was made, over all starts. */
	count = 0;
	isCut = false;
	/** Of what is scattered. */
	seed = 0;
	/** Operation numbers, from 1, at which power goes. */
	cuts: { readonly at: number; readonly mode: CutMode }[] = [];
	/** Operations that fail with the error of their port instead. */
	isFaulty: (count: number, operation: Operation) => boolean = () => false;
	readonly operations: Operation[] = [];

	/** `effect(false, …)`: do it half, or scattered where the operation knows such a thing. Throws PowerCut; false when the operation must fail. */
	operate(operation: Operation, effect: (isWhole: boolean, mode: CutMode) => void): boolean {
		this.check();
		this.count++;
		this.operations.push(operation);
		const cut = this.cuts.find((item) => item.at === this.count);
		if (cut === undefined) {
			if (this.isFaulty(this.count, operation)) return false;
			effect(true, "after");
			return true;
		}
		if (cut.mode !== "before") effect(cut.mode === "after", cut.mode);
		this.isCut = true;
		throw new PowerCut();
	}

	check(): void {
		if (this.isCut) throw new PowerCut();
	}
}
