import { fail } from "../../base/errors.ts";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";
import type { ClaimedHeld, HeldMessage, HeldPurpose, HeldReader, HeldWriter } from "../../ports/held.ts";
import { fromText, fromTextOrNull, toText, toTextOrNull } from "./column-text.ts";
import { HeldReaderSql, HeldWriterSql } from "./store-held-sql.ts";
import { keyLockOf, lockOf } from "./locks.ts";
import { pageValues } from "./page.ts";
import type { Run } from "./statement.ts";
import { bodyColumns, bodyOf, numberOrNull } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

/** Held messages, claimed under fences that are never used twice. */
export class HeldTable {
  readonly #service: string;
  readonly #lockScope: number;
  readonly #writerSql: HeldWriterSql;
  readonly #readerSql: HeldReaderSql;

  constructor(place: StorePlace) {
    this.#service = place.service;
    this.#lockScope = lockOf("held", place.schema, place.service);
    this.#writerSql = new HeldWriterSql(place.schema);
    this.#readerSql = new HeldReaderSql(place.schema);
  }

  writer(run: Run): HeldWriter {
    const sql = this.#writerSql;
    return {
      put: async (entry) => {
        const put = (): Promise<unknown> => run(sql.put, this.#service, ...valuesOf(entry));
        await (entry.key === undefined || !entry.isOrdered ? put() : this.#locked(run, entry.destination, entry.key, put));
      },
      complete: async (claimed) => assertOurs(claimed, await run(sql.complete, this.#service, toText(claimed.id), claimed.fence)),
      postpone: async (claimed, { dueAt, failures, firstFailedAt }) =>
        assertOurs(claimed, await run(sql.postpone, this.#service, toText(claimed.id), claimed.fence, dueAt, failures, firstFailedAt)),
      isBlocked: (destination, key, exceptId) =>
        this.#locked(run, destination, key, async () => {
          const found = await run(sql.isBlocked, this.#service, toText(destination), toText(key), toTextOrNull(exceptId));
          return found.rows.length > 0;
        }),
      parkedCount: async (destination, key) =>
        Number((await run(sql.parkedCount, this.#service, toText(destination), toText(key))).rows[0]!["count"]),
      releaseNext: (destination, key) =>
        this.#locked(run, destination, key, async () => {
          const released = await run(sql.releaseNext, this.#service, toText(destination), toText(key));
          return released.rowCount === 1;
        }),
    };
  }

  reader(run: Run): HeldReader {
    const sql = this.#readerSql;
    return {
      claimDue: async ({ destination, lanes, limit, leaseMs }) => {
        const { rows } = await run(sql.claim, this.#service, toText(destination), lanes ?? null, limit, Math.round(leaseMs));
        return rows.toSorted(oldestFirst).map((row) => ({ ...entryOf(row), fence: Number(row["fence"]) }));
      },
      giveBack: async (claimed) => {
        const ids = claimed.map(({ id }) => toText(id));
        const fences = claimed.map(({ fence }) => fence);
        if (ids.length > 0) await run(sql.giveBack, this.#service, ids, fences);
      },
      blockedKeys: async (destination, lanes) =>
        (await run(sql.blockedKeys, this.#service, toText(destination), lanes ?? null)).rows.map(({ key }) => fromText(key)),
      nextDueAt: async () => numberOrNull((await run(sql.nextDueAt, this.#service)).rows[0]!["at"]),
      get: async (id) => {
        const row = (await run(sql.get, this.#service, toText(id))).rows[0];
        return row === undefined ? undefined : entryOf(row);
      },
      list: async (page) => (await run(sql.list, this.#service, page.purpose ?? null, ...pageValues(page))).rows.map(entryOf),
      count: async () => {
        const counts = { retry: 0, parked: 0, redrive: 0 };
        for (const { purpose, count } of (await run(sql.count, this.#service)).rows) counts[purpose as HeldPurpose] = Number(count);
        return counts;
      },
    };
  }

  /**
   * Runs `work` while nobody else parks behind the key or releases what is parked: else one would look, the other commit, and a message stay parked for ever.
   *
   * The lock is a statement of its own, so that those of `work`, which may be on their way already, see what was committed while it was waited for.
   */
  async #locked<Result>(run: Run, destination: string, key: string, work: () => Promise<Result>): Promise<Result> {
    const [, result] = await Promise.all([run(this.#writerSql.lock, keyLockOf(this.#lockScope, destination, key)), work()]);
    return result;
  }
}

function assertOurs(claimed: ClaimedHeld, { rowCount }: { readonly rowCount: number | null }): void {
  if (rowCount !== 1) throw fail("PR_LEASE_LOST", { lease: `the held message ${claimed.id}` });
}

type Row = Readonly<Record<string, unknown>>;

function oldestFirst(left: Row, right: Row): number {
  return Number(left["due_at"]) - Number(right["due_at"]) || Number(left["sequence"]) - Number(right["sequence"]);
}

function valuesOf(entry: HeldMessage): readonly unknown[] {
  return [
    toText(entry.id),
    entry.purpose,
    entry.dueAt ?? null,
    toText(entry.destination),
    entry.lane,
    toTextOrNull(entry.key),
    entry.isOrdered,
    headToColumn(entry.envelope),
    headersToColumn(entry.headers),
    ...bodyColumns(entry.body),
    entry.failures,
    entry.firstFailedAt ?? null,
    toTextOrNull(entry.deadLetterId),
    entry.redrives,
  ];
}

function entryOf(row: Row): HeldMessage {
  return {
    id: fromText(row["id"]),
    purpose: row["purpose"] as HeldPurpose,
    dueAt: numberOrNull(row["due_at"]),
    destination: fromText(row["destination"]),
    lane: row["lane"] as number,
    key: fromTextOrNull(row["key"]),
    isOrdered: row["is_ordered"] === true,
    envelope: headFromColumn(row["head"] as string | null),
    headers: headersFromColumn(row["headers"] as string | null),
    body: bodyOf(row["body"], row["is_text"]),
    failures: row["failures"] as number,
    firstFailedAt: numberOrNull(row["first_failed_at"]),
    deadLetterId: fromTextOrNull(row["dead_letter_id"]),
    redrives: row["redrives"] as number,
  };
}
