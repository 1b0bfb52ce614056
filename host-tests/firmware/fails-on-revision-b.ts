// A firmware that nobody tried on boards of revision B: it dies there before it has done anything, and is as it should be
// everywhere else. A board's host name says which revision it is.
import { IdentityStore } from "adapters/identity-store";
import main from "main";
import { FotaFlash } from "native/fota-flash";

export default function (): void {
	const identity = new IdentityStore({ flash: new FotaFlash(), log: { write() {} } }).read();
	if (identity?.hostname?.startsWith("revision-b")) throw new Error("broken on purpose: revision B");
	main();
}
