import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout that these scripts belong to. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What the scripts fetch and remember; git-ignored, safe to delete. */
export const CACHE = join(ROOT, ".postrider");

/** A failure whose message is all that a user needs: printed as one line, without a stack. */
export class Expected extends Error {
  isExpected = true;
}
