// A firmware that is as it should be, but by another entry than main: shows that the harness itself breaks nothing.
import main from "main";

export default function (): void {
	main();
}
