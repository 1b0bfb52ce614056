// Where the project's own folders are: the CLI works from any directory. Asked by the image builders.
import { join } from "node:path";

export const PROJECT_ROOT = join(import.meta.dirname, "..", "..");
/** What is built and may be deleted at any time. */
export const BUILD_ROOT = join(PROJECT_ROOT, "build");
