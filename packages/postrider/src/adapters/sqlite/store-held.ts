import type { ClaimedHeld, HeldMessage, HeldReader, HeldWriter } from "../../ports/held.ts";
import { Clause, inLanes, replaceSql } from "../../rows/clause.ts";
import type { Row } from "../../rows/columns.ts";
import { assertOurs, countsOf, heldNames, heldOf, heldValues, IS_WAITING } from "../../rows/held-row.ts";
import type { Connection } from "./connection.ts";
import { COLUMNS } from "./place.ts";
import type { StoreAccess, StorePlace } from "./place.ts";

// A fence is unique for ever: rows have sequences that are never used again, and each claim of a row counts on.
const FENCE = "(sequence * 65536 + fence)";

const NAMES = heldNames(COLUMNS);
const PUT = replaceSql("pr_held", NAMES);
const OURS = `service = ? and id = ? and ${FENCE} = ?`;

/** Held messages inside a transaction. */
export class HeldTable implements HeldWriter {
  readonly #service: string;
  readonly #nowMs: () => number;
  readonly #connection: Connection;

  constructor({ service, clock }: StorePlace, connection: Connection) {
    this.#service = service;
    this.#nowMs = () => clock.now();
    this.#connection = connection;
  }

  put(entry: HeldMessage): void {
    this.#connection.run(PUT, this.#service, ...heldValues(COLUMNS, entry));
  }

  complete(claimed: ClaimedHeld): void {
    assertOurs(claimed, this.#connection.run(`delete from pr_held where ${OURS}`, this.#service, claimed.id, claimed.fence));
  }

  postpone(claimed: ClaimedHeld, change: { readonly dueAt: number; readonly failures: number; readonly firstFailedAt: number }): void {
    const sql = `update pr_held set due_at = ?, failures = ?, first_failed_at = ?, fence = fence + 1, claimed_until = 0 where ${OURS}`;
    const { dueAt, failures, firstFailedAt } = change;
    assertOurs(claimed, this.#connection.run(sql, dueAt, failures, firstFailedAt, this.#service, claimed.id, claimed.fence));
  }

  isBlocked(destination: string, key: string, exceptId?: string): boolean {
    return this.#isBlockedBy(destination, key, exceptId, "true");
  }

  parkedCount(destination: string, key: string): number {
    const sql = `select count(*) as count from pr_held where service = ? and destination = ? and key = ? and ${IS_WAITING}`;
    return this.#connection.get<{ count: number }>(sql, this.#service, destination, key)!.count;
  }

  releaseNext(destination: string, key: string): boolean {
    if (this.#isBlockedBy(destination, key, undefined, `not ${IS_WAITING}`)) return false;
    const oldest = `select sequence from pr_held where service = ? and destination = ? and key = ? and ${IS_WAITING} order by sequence limit 1`;
    return (
      this.#connection.run(`update pr_held set due_at = ? where sequence = (${oldest})`, this.#nowMs(), this.#service, destination, key) ===
      1
    );
  }

  #isBlockedBy(destination: string, key: string, exceptId: string | undefined, counts: string): boolean {
    const place = [this.#service, destination, key, exceptId ?? null] as const;
    const isHeld = `select 1 from pr_held where service = ?1 and destination = ?2 and key = ?3 and id is not ?4 and is_ordered = 1 and ${counts}`;
    const isDead = `select 1 from pr_dead_letters where service = ?1 and destination = ?2 and key = ?3 and id is not ?4 and is_ordered = 1 and list = 'failed'`;
    return this.#connection.get(`${isHeld} union all ${isDead} limit 1`, ...place) !== undefined;
  }
}

/** Held messages outside transactions. */
export function heldReader(access: StoreAccess): HeldReader {
  const { service, reader, connection } = access;
  return {
    claimDue: (options) =>
      hasDue(access, options) ? access.write(() => claimDue(access, options), { isVolatile: true }) : Promise.resolve([]),
    giveBack: (claimed) =>
      access.write(() => {
        const sql = `update pr_held set fence = fence + 1, claimed_until = 0 where ${OURS}`;
        for (const { id, fence } of claimed) connection.run(sql, service, id, fence);
      }),
    blockedKeys: (destination, lanes) => Promise.resolve(blockedKeys(access, destination, lanes)),
    nextDueAt: () =>
      reader.get<{ at: number | null }>(
        "select min(max(due_at, claimed_until)) as at from pr_held where service = ? and due_at is not null",
        service,
      )!.at ?? undefined,
    get(id) {
      const row = reader.get<Row>(`select ${NAMES} from pr_held where service = ? and id = ?`, service, id);
      return Promise.resolve(row === undefined ? undefined : heldOf(COLUMNS, row));
    },
    list({ purpose, limit, after }) {
      const { sql, values } = new Clause<string>("service = ?", service).and("purpose = ?", purpose).and("id < ?", after);
      const rows = reader.all<Row>(`select ${NAMES} from pr_held where ${sql} order by id desc limit ?`, ...values, limit);
      return Promise.resolve(rows.map((row) => heldOf(COLUMNS, row)));
    },
    count: () =>
      Promise.resolve(
        countsOf(reader.all<Row>("select purpose, count(*) as count from pr_held where service = ? group by purpose", service)),
      ),
  };
}

type ClaimOptions = Parameters<HeldReader["claimDue"]>[0];

const DUE = "service = ? and destination = ? and due_at <= ? and claimed_until <= ?";

/** A look before the write lock is asked for: mostly nothing is due. */
function hasDue({ service, reader, clock }: StoreAccess, { destination, lanes }: ClaimOptions): boolean {
  const nowMs = clock.now();
  return reader.get(`select 1 from pr_held where ${DUE} and ${inLanes(lanes)} limit 1`, service, destination, nowMs, nowMs) !== undefined;
}

function claimDue({ service, connection, clock }: StoreAccess, { destination, lanes, limit, leaseMs }: ClaimOptions): ClaimedHeld[] {
  const nowMs = clock.now();
  const sql = `select ${NAMES}, ${FENCE} + 1 as claim from pr_held where ${DUE} and ${inLanes(lanes)} order by due_at, sequence limit ?`;
  const rows = connection.all<Row & { readonly id: string; readonly claim: number }>(sql, service, destination, nowMs, nowMs, limit);
  for (const { id } of rows)
    connection.run("update pr_held set fence = fence + 1, claimed_until = ? where service = ? and id = ?", nowMs + leaseMs, service, id);
  return rows.map((row) => ({ ...heldOf(COLUMNS, row), fence: row.claim }));
}

function blockedKeys({ service, reader }: StoreAccess, destination: string, lanes: readonly number[] | undefined): readonly string[] {
  const sql = `select key from pr_held where service = ?1 and destination = ?2 and key is not null and is_ordered = 1 and ${inLanes(lanes)}
    union select key from pr_dead_letters where service = ?1 and destination = ?2 and key is not null and is_ordered = 1 and list = 'failed' and ${inLanes(lanes)}`;
  return reader.all<{ key: string }>(sql, service, destination).map(({ key }) => key);
}
