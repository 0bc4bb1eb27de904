import { deferred } from "../base/deferred.ts";
import type { Work } from "./work.ts";

/** Copies of one message that meet here: the later one waits, and the inbox will tell it what became of the first. */
export class Twins {
  readonly #running = new Map<string, Work>();
  readonly #inHand = new Map<string, Work>();

  /** It has come. Whether no other copy of it is in hand, whose end would change what the inbox says of it. */
  enter(work: Work): boolean {
    const { inboxId } = work.ready;
    if (this.#inHand.has(inboxId)) return false;
    this.#inHand.set(inboxId, work);
    return true;
  }

  /** It has ended, or goes. */
  forget(work: Work): void {
    if (this.#inHand.size > 0 && this.#inHand.get(work.ready.inboxId) === work) this.#inHand.delete(work.ready.inboxId);
  }

  /** Resolves once no other copy of it runs. */
  async wait(work: Work): Promise<void> {
    const { inboxId } = work.ready;
    for (let twin = this.#running.get(inboxId); twin !== undefined; twin = this.#running.get(inboxId))
      await (twin.ended ??= deferred()).promise;
    this.#running.set(inboxId, work);
  }

  /** It runs no more. */
  leave(work: Work): void {
    if (this.#running.size > 0 && this.#running.get(work.ready.inboxId) === work) this.#running.delete(work.ready.inboxId);
  }
}
