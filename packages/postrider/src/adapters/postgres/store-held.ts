import type { HeldReader, HeldWriter } from "../../ports/held.ts";
import { numberOrNull, optional } from "../../rows/columns.ts";
import type { Row } from "../../rows/columns.ts";
import { assertOurs, countsOf, heldOf, heldValues } from "../../rows/held-row.ts";
import { fromText, toText } from "./column-text.ts";
import { HeldReaderSql, HeldWriterSql } from "./store-held-sql.ts";
import { keyLockOf, lockOf } from "./locks.ts";
import { pageValues } from "./page.ts";
import type { Run } from "./statement.ts";
import { COLUMNS } from "./store-place.ts";
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
        const put = (): Promise<unknown> => run(sql.put, this.#service, ...heldValues(COLUMNS, entry));
        await (entry.key === undefined || !entry.isOrdered ? put() : this.#locked(run, entry.destination, entry.key, put));
      },
      complete: async (claimed) =>
        assertOurs(claimed, (await run(sql.complete, this.#service, toText(claimed.id), claimed.fence)).rowCount),
      postpone: async (claimed, { dueAt, failures, firstFailedAt }) => {
        const changed = await run(sql.postpone, this.#service, toText(claimed.id), claimed.fence, dueAt, failures, firstFailedAt);
        assertOurs(claimed, changed.rowCount);
      },
      isBlocked: (destination, key, exceptId) =>
        this.#locked(run, destination, key, async () => {
          const found = await run(sql.isBlocked, this.#service, toText(destination), toText(key), optional(COLUMNS, exceptId));
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
        return rows.toSorted(oldestFirst).map((row) => ({ ...heldOf(COLUMNS, row), fence: Number(row["fence"]) }));
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
        return row === undefined ? undefined : heldOf(COLUMNS, row);
      },
      list: async (page) => {
        const { rows } = await run(sql.list, this.#service, page.purpose ?? null, ...pageValues(page));
        return rows.map((row) => heldOf(COLUMNS, row));
      },
      count: async () => countsOf((await run(sql.count, this.#service)).rows),
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

function oldestFirst(left: Row, right: Row): number {
  return Number(left["due_at"]) - Number(right["due_at"]) || Number(left["sequence"]) - Number(right["sequence"]);
}
