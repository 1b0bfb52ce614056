// A firmware whose own data has filled the key-value storage before the updater starts.
import keyValue from "embedded:storage/key-value";
import main from "main";

const ENTRIES_MAX = 2000;

export default function (): void {
	const store = keyValue.open({ path: "filler", format: "string" });
	try {
		for (let entry = 0; entry < ENTRIES_MAX; entry++)
			store.write(`k${entry}`, "x".repeat(entry < 100 ? 500 : 1));
	} catch {
		// Full, as wanted.
	}
	main();
}
