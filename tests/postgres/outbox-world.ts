import { postgresStores } from "postrider/postgres";
import type { PostgresStoreOptions } from "postrider/postgres";
import { setTimeout as sleep } from "node:timers/promises";

type Store = ReturnType<ReturnType<typeof postgresStores>>;
type Row = Awaited<ReturnType<Store["outbox"]["claim"]>>[number];
type Outgoing = Row["message"];
/** How an outbox is read, as its store tells. */
export type Status = NonNullable<Awaited<ReturnType<NonNullable<Store["outbox"]["status"]>>>>;

const LEASE_MS = 13_000;
const ROUND_MS = 5;

/** One process that writes outgoing messages and relays them, to a list of its own. */
export class OutboxWorld implements AsyncDisposable {
  readonly store: Store;
  /** What was relayed, in its order. */
  readonly sent: string[] = [];
  /** Codes of warnings, with what they say. */
  readonly warnings: string[] = [];
  readonly #over = new AbortController();
  #running: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;
  #wake: () => void = () => undefined;
  count = 0;

  constructor(options: PostgresStoreOptions) {
    const warn = (fields: Readonly<Record<string, unknown>>, text: string): void =>
      void this.warnings.push(`${(fields["err"] as { code?: string } | undefined)?.code ?? ""} ${text}`);
    const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
    this.store = postgresStores({ outbox: { by: "replication" }, logger, ...options })("ordering");
  }

  /** Relays until it is closed. `onRow` may say that a row is to be given back. */
  async relay(onRow: (id: string, number: number) => boolean = () => true): Promise<void> {
    await this.store.open();
    this.#stopListening = this.store.outbox.onAppended(() => this.#wake());
    this.#running = this.#relay(onRow);
  }

  /** Writes messages, a key after another, one transaction for `size` of them. Ids of one key grow. */
  async write(total: number, { size = 3, keys = 7 } = {}): Promise<readonly string[]> {
    const messages = Array.from({ length: total }, () => message(this.count++, keys));
    for (let from = 0; from < total; from += size) {
      await this.store.transaction((tx) => tx.outbox.append(messages.slice(from, from + size)));
    }
    return messages.map(({ envelope }) => envelope.id);
  }

  status(): Promise<Status | undefined> {
    return this.store.outbox.status!();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    this.#wake();
    await this.#running;
    this.#stopListening?.();
    await this.store.close();
  }

  async #relay(onRow: (id: string, number: number) => boolean): Promise<void> {
    while (!this.#over.signal.aborted) {
      // A database that is away is met by the next round.
      for (const kind of ["event", "command"] as const)
        await this.#round(kind, onRow).catch(
          (error: unknown) => void this.warnings.push(`round: ${String(error)} ${String((error as { cause?: unknown }).cause)}`),
        );
      await Promise.race([sleep(ROUND_MS * 10), new Promise<void>((resolve) => (this.#wake = resolve))]);
    }
  }

  async #round(kind: "event" | "command", onRow: (id: string, number: number) => boolean): Promise<void> {
    const rows = await this.store.outbox.claim({ kind, limit: 50, owner: "relay", leaseMs: LEASE_MS });
    const failed = new Set<string | undefined>();
    const [done, again]: [Row[], Row[]] = [[], []];
    for (const row of rows) {
      const { id, partitionkey } = row.message.envelope;
      if (failed.has(partitionkey) || !onRow(id, this.sent.length)) {
        failed.add(partitionkey);
        again.push(row);
        continue;
      }
      this.sent.push(id);
      done.push(row);
    }
    await this.store.outbox.done(done);
    if (again.length > 0) await this.store.outbox.giveBack(again, 0);
  }
}

/** What is wrong with what was sent: an id that is missing or was never written, one that came again where none may, or a key whose order is broken. */
export function faults(sent: readonly string[], ids: readonly string[], { mayRepeat = false, keys = 7 } = {}): readonly string[] {
  const first = [...new Set(sent)];
  const known = new Set(ids);
  const wrong = ids.filter((id) => !first.includes(id)).map((id) => `${id} is missing`);
  wrong.push(...first.filter((id) => !known.has(id)).map((id) => `${id} is unknown`));
  if (!mayRepeat && first.length < sent.length) wrong.push(`${sent.length - first.length} came again`);
  const ofKey = Map.groupBy(first, (id) => Number.parseInt(id.slice(-12), 16) % keys);
  for (const [key, of] of ofKey) if (of.some((id, at) => at > 0 && of[at - 1]! > id)) wrong.push(`key ${key} is out of order`);
  return wrong;
}

function message(number: number, keys: number): Outgoing {
  const id = `0198c000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;
  return {
    destination: "order.events",
    mayRepeat: false,
    headers: number % 2 === 0 ? {} : { note: "✓", bytes: Uint8Array.of(0, 128, number % 256) },
    body: number % 3 === 0 ? Uint8Array.of(0, 255, number % 256) : JSON.stringify({ id }),
    envelope: headOf(id, `key-${number % keys}`),
  };
}

function headOf(id: string, partitionkey: string): Outgoing["envelope"] {
  return {
    id,
    source: "/test",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2026-01-01T00:00:00.000Z",
    partitionkey,
  };
}

/** What writes a row without the library, under a key of its own. */
export function ownRow(schema: string, id: string): { readonly text: string; readonly values: string[] } {
  const text = `insert into ${schema}.pr_outbox (service, id, aggregatetype, aggregateid, type, payload, is_text, may_repeat, head, is_event)
    values ('ordering', 'x', 'order.events', 'own', 'order.placed', '{}', true, false, $1, true)`;
  return { text, values: [JSON.stringify(headOf(id, "own"))] };
}
