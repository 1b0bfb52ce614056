// A firmware that dies before it has done anything.

export default function (): void {
	throw new Error("broken on purpose: crashes at boot");
}
