// A firmware whose application is at something for the first minute of each start.
import main from "main";
import { FotaSystem } from "native/fota-system";

export default function (): void {
	const system = new FotaSystem();
	main({ isBusy: () => system.uptimeMs() < 60_000 });
}
