// A firmware whose own check never passes, and one that throws: it runs, reports, and must not be confirmed.
import main from "main";

export default function (): void {
	main({
		healthChecks: [
			{ name: "sensor", isHealthy: () => false },
			{
				name: "display",
				isHealthy: () => {
					throw new Error("no display");
				},
			},
			{ name: "clock", isHealthy: () => true },
		],
	});
}
