import { stat } from "node:fs/promises";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";

const GONE = "gone";

/** Notices that an open file was deleted or replaced: SQLite would go on for ever, and everything it acknowledged would end with the process. */
export class FileWatch {
  readonly #file: string;
  readonly #onFatal: (error: PostriderError) => void;
  #known: string | undefined;
  #isLooking = false;

  constructor(file: string, onFatal: (error: PostriderError) => void) {
    this.#file = file;
    this.#onFatal = onFatal;
  }

  /** The first look remembers the file and its write-ahead log, which stays as long as somebody has it open; later ones compare. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const found = await this.#identity();
    if (found === undefined) {
      this.#isLooking = false;
      return;
    }
    this.#known ??= found;
    if (found === this.#known) this.#isLooking = false;
    else
      this.#onFatal(fail("PR_STORE_CORRUPT", { file: this.#file, detail: "it, or its -wal, was deleted or replaced while it was open" })); // once
  }

  /** Undefined where it cannot be told now. */
  async #identity(): Promise<string | undefined> {
    const parts = await Promise.all([this.#file, `${this.#file}-wal`].map((path) => identityOf(path)));
    return parts.includes(undefined) ? undefined : parts.join(" ");
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch (error) {
    return (error as { code?: unknown }).code === "ENOENT" ? GONE : undefined;
  }
}
