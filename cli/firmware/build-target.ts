// What is built for a chip: mcconfig's platform, the board it is for, and the files of the project that belong to it.
// Called by `fota firmware` and `fota doctor`. It must not know how a build is run.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CHIPS, type Chip } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { PROJECT_ROOT } from "../image/project-root.js";

/** A board with 4 MB of flash, one with 8 MB and a factory slot, or Espressif's emulator. */
export const BOARD_KINDS = ["4mb", "8mb", "qemu"] as const;
export type BoardKind = (typeof BOARD_KINDS)[number];

export interface BuildTarget {
	/** As mcconfig's -p takes it, such as esp32/esp32c3. */
	readonly platform: string;
	readonly chip: Chip;
	readonly kind: BoardKind;
	/** Of the build, without version; also names the build's folder in the SDK. */
	readonly name: string;
	/** Names the folders of this target under build/: esp32c3, esp32c3-8mb, esp32c3-qemu. */
	readonly folderName: string;
	readonly manifestPath: string;
	readonly sdkconfigPath: string;
	readonly partitionsPath: string;
}

interface KindFiles {
	readonly name: string;
	readonly suffix: string;
	readonly manifest: string;
	readonly sdkconfig: string;
	readonly partitions: string;
}

export const QEMU_NAME = "xs-fota-qemu";
const FILES: Readonly<Record<BoardKind, KindFiles>> = {
	"4mb": {
		name: "xs-fota",
		suffix: "",
		manifest: "manifest.json",
		sdkconfig: "sdkconfig",
		partitions: "partitions.csv",
	},
	"8mb": {
		name: "xs-fota-8mb",
		suffix: "-8mb",
		manifest: "manifest-8mb.json",
		sdkconfig: "sdkconfig/8mb",
		partitions: "partitions-8mb.csv",
	},
	qemu: {
		name: QEMU_NAME,
		suffix: "-qemu",
		manifest: "manifest-qemu.json",
		sdkconfig: "sdkconfig/qemu",
		partitions: "partitions.csv",
	},
};
const KNOWN_CHIPS: Readonly<Record<string, Chip>> = {
	nodemcu: "esp32",
	esp32c3: "esp32c3",
	esp32s3: "esp32s3",
};

export interface TargetChoice {
	/** esp32/<board of the SDK>. */
	readonly platform: string;
	readonly kind: BoardKind;
	/** Folder of the Moddable SDK, asked about boards that are not the three usual ones. */
	readonly moddable?: string | undefined;
	/** Default: this project. */
	readonly projectRoot?: string | undefined;
}

/** Throws CliError for a board that is unknown, or of a chip this project does not build for. */
export async function findTarget(choice: TargetChoice): Promise<BuildTarget> {
	const board = /^esp32\/([a-z0-9_]+)$/.exec(choice.platform)?.[1];
	if (board === undefined)
		throw new CliError(`"${choice.platform}" is not a target`, {
			hint: "Give esp32/nodemcu, esp32/esp32c3, esp32/esp32s3, or esp32/ and another board of the SDK.",
		});
	const chip = KNOWN_CHIPS[board] ?? (await chipOfBoard(board, choice.moddable));
	if (choice.kind === "qemu" && chip !== "esp32c3")
		throw new CliError(`there is no emulator for ${choice.platform} here`, {
			hint: "Say --target esp32/esp32c3 with --qemu.",
		});
	const files = FILES[choice.kind];
	const root = choice.projectRoot ?? PROJECT_ROOT;
	return {
		platform: choice.platform,
		chip,
		kind: choice.kind,
		name: files.name,
		folderName: `${board}${files.suffix}`,
		manifestPath: join(root, files.manifest),
		sdkconfigPath: join(root, files.sdkconfig, "sdkconfig.defaults"),
		partitionsPath: join(root, files.partitions),
	};
}

// The SDK's own word for the chip of a board; boards that state none have the plain ESP32.
async function chipOfBoard(board: string, moddable: string | undefined): Promise<Chip> {
	const path = join(moddable ?? "", "build", "devices", "esp32", "targets", board, "manifest.json");
	const text = moddable === undefined ? undefined : await readFile(path, "utf8").catch(() => undefined);
	if (text === undefined)
		throw new CliError(`the board ${board} is not known`, {
			hint: "The SDK's boards are the folders in $MODDABLE/build/devices/esp32/targets; is MODDABLE set?",
		});
	const subclass = /"ESP32_SUBCLASS"\s*:\s*"([a-z0-9]+)"/.exec(text)?.[1] ?? "esp32";
	const chip = CHIPS.find((name) => name === subclass);
	if (!chip)
		throw new CliError(`the board ${board} has an ${subclass}, which this project does not build for`, {
			hint: `It builds for ${CHIPS.join(", ")}.`,
		});
	return chip;
}
