// A firmware that comes up, talks to the server, and dies five seconds after each boot: an exception that escapes a
// callback restarts the chip.
import main from "main";
import Timer from "timer";

export default function (): void {
	Timer.set(() => {
		throw new Error("broken on purpose: aborts five seconds after boot");
	}, 5000);
	main();
}
