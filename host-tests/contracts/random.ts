// What every Random does, whatever it stands on. That nobody can foretell it is not to be seen from outside.
import type { Random } from "../../src/update/ports.js";
import { type Contract, expectEqual } from "./contract.js";

export interface RandomSubject {
	readonly random: Random;
}

const DRAWS = 600;

export const randomContract: Contract<RandomSubject> = [
	{
		title: "draws whole numbers from 0 to below the bound, each of a few",
		steps: [
			({ random }) => {
				const seen = new Set<number>();
				for (let i = 0; i < DRAWS; i++) seen.add(random.below(6));
				expectEqual([...seen].sort(), [0, 1, 2, 3, 4, 5]);
			},
		],
	},
	{
		title: "draws over the whole range of a large bound, and 0 where there is no choice",
		steps: [
			({ random }) => {
				const bound = 0x10_0000;
				const draws = Array.from({ length: DRAWS }, () => random.below(bound));
				expectEqual(
					draws.every((draw) => Number.isInteger(draw) && draw >= 0 && draw < bound),
					true,
				);
				expectEqual(
					draws.some((draw) => draw < bound / 4),
					true,
				);
				expectEqual(
					draws.some((draw) => draw >= (bound * 3) / 4),
					true,
				);
				expectEqual(random.below(1), 0);
			},
		],
	},
];
