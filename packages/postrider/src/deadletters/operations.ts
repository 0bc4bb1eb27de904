import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import type { Page } from "../ports/page.ts";
import type { Store } from "../ports/store.ts";
import { checkFilter, checkPage, checkRedrive } from "./check-call.ts";
import { purgeLetters } from "./purge.ts";
import { RedriveRun } from "./redrive-many.ts";
import type { RedriveTarget } from "./redrive-many.ts";
import { editLetter, redriveLetter } from "./redrive.ts";
import type { EditTools, RedriveVerdict } from "./redrive.ts";
import type { LetterFilter, LetterOperations, RedriveOptions } from "./types.ts";

/** What letter operations stand on. */
export interface LetterOperationsOptions extends EditTools {
  /** By service. */
  readonly stores: ReadonlyMap<string, Store>;
  readonly clock: Clock;
  /** Called when a service's held messages may have become due, so that it need not wait for its next look. */
  readonly onDue?: (service: string) => void;
}

const DEFAULT_PAGE: Page = { limit: 100 };

/** What operators see and do with dead letters, held and scheduled messages, over the stores of many services as if they were one. */
export function letterOperations(options: LetterOperationsOptions): LetterOperations {
  return new StoreOperations(options);
}

class StoreOperations implements LetterOperations {
  readonly #options: LetterOperationsOptions;

  constructor(options: LetterOperationsOptions) {
    this.#options = options;
  }

  async deadLetters(filter: LetterFilter = {}, page: Page = DEFAULT_PAGE): ReturnType<LetterOperations["deadLetters"]> {
    checkFilter("deadLetters", filter);
    checkPage("deadLetters", page);
    const { service: _, ...plain } = filter;
    return newest(await this.#each(filter, (store) => store.deadLetters.list(plain, page)), page.limit);
  }

  async deadLetterGroups(filter: LetterFilter = {}): ReturnType<LetterOperations["deadLetterGroups"]> {
    checkFilter("deadLetterGroups", filter);
    const { service: _, ...plain } = filter;
    const groups = await this.#each(filter, (store) => store.deadLetters.groups(plain));
    return groups.sort((one, other) => other.count - one.count || other.lastAt - one.lastAt);
  }

  async deadLetter(id: string): ReturnType<LetterOperations["deadLetter"]> {
    const found = await this.#each({}, async (store) => [await store.deadLetters.get(id)]);
    const letter = found.find((candidate) => candidate !== undefined);
    if (letter === undefined) throw fail("PR_DEAD_LETTER_UNKNOWN", { id });
    return letter;
  }

  async redrive(id: string, { delayMs = 0 }: { readonly delayMs?: number } = {}): Promise<void> {
    for (const store of this.#options.stores.values()) {
      const verdict = await redriveLetter(store, id, { enlist: this.#options.enlist, delayMs: Math.max(0, delayMs) });
      if (verdict === "redriven") this.#options.onDue?.(store.service);
      if (verdict !== "unknown") return;
    }
    throw fail("PR_DEAD_LETTER_UNKNOWN", { id });
  }

  async edit(id: string, body: unknown): ReturnType<LetterOperations["edit"]> {
    for (const store of this.#options.stores.values()) {
      const copyId = await editLetter(store, id, body, this.#options);
      if (copyId === undefined) continue;
      this.#options.onDue?.(store.service);
      return { id: copyId };
    }
    throw fail("PR_DEAD_LETTER_UNKNOWN", { id });
  }

  async redriveMany(options: RedriveOptions): ReturnType<LetterOperations["redriveMany"]> {
    checkRedrive(options);
    const targets = await this.#each(options.filter, (store) => targetsOf(store, options.filter));
    // Oldest first, as they came: newer ones may build on what older ones do.
    targets.sort((one, other) => (one.letter.id < other.letter.id ? -1 : 1));
    const redrive = async ({ store, letter }: RedriveTarget): Promise<RedriveVerdict> => {
      const verdict = await redriveLetter(store, letter.id, { enlist: this.#options.enlist, delayMs: 0 });
      if (verdict === "redriven") this.#options.onDue?.(store.service);
      return verdict;
    };
    return new RedriveRun(options, { clock: this.#options.clock, redrive }).run(targets);
  }

  async purge(filter: LetterFilter): Promise<number> {
    checkFilter("purge", filter);
    const { service: _, ...plain } = filter;
    const counts = await this.#each(filter, async (store) => {
      const count = await purgeLetters(store, plain);
      if (count > 0) this.#options.onDue?.(store.service);
      return [count];
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async held(page: Page = DEFAULT_PAGE): ReturnType<LetterOperations["held"]> {
    checkPage("held", page);
    return newest(await this.#each({}, async (store) => withService(store, await store.held.list(page))), page.limit);
  }

  async scheduled(page: Page = DEFAULT_PAGE): ReturnType<LetterOperations["scheduled"]> {
    checkPage("scheduled", page);
    return newest(await this.#each({}, async (store) => withService(store, await store.schedule.list(page))), page.limit);
  }

  async #each<Row>(filter: LetterFilter, read: (store: Store) => Promise<readonly Row[]>): Promise<Row[]> {
    const stores = [...this.#options.stores.values()].filter((store) => filter.service === undefined || store.service === filter.service);
    return (await Promise.all(stores.map(read))).flat();
  }
}

async function targetsOf(store: Store, filter: LetterFilter): Promise<RedriveTarget[]> {
  const { service: _, ...plain } = filter;
  const targets: RedriveTarget[] = [];
  for (
    let page = await store.deadLetters.list(plain, DEFAULT_PAGE);
    page.length > 0;
    page = await store.deadLetters.list(plain, { ...DEFAULT_PAGE, after: page.at(-1)!.id })
  ) {
    targets.push(...page.map(({ id, messageId, list, redrives }) => ({ store, letter: { id, messageId, list, redrives } })));
  }
  return targets;
}

function withService<Row extends object>(store: Store, rows: readonly Row[]): (Row & { readonly service: string })[] {
  return rows.map((row) => ({ ...row, service: store.service }));
}

/** The first of all stores' pages together. A page may be a little longer than asked for, where services use the same id: a cursor is one id, so it cannot stand between them. */
function newest<Row extends { readonly id: string }>(rows: Row[], limit: number): Row[] {
  rows.sort((one, other) => (one.id < other.id ? 1 : one.id > other.id ? -1 : 0));
  let end = Math.min(limit, rows.length);
  while (end > 0 && end < rows.length && rows[end]!.id === rows[end - 1]!.id) end++;
  return rows.slice(0, end);
}
