import { fail } from "../../base/errors.ts";
import type { ClaimedHeld, HeldMessage, HeldPurpose, HeldReader, HeldWriter } from "../../ports/held.ts";
import type { Page } from "../../ports/page.ts";
import type { Connection } from "./connection.ts";
import { pageClause } from "./page.ts";
import type { StoreAccess, StorePlace } from "./place.ts";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";

// A fence is unique for ever: rows have sequences that are never used again, and each claim of a row counts on.
const FENCE = "(sequence * 65536 + fence)";

const COLUMNS = `id, purpose, due_at as dueAt, destination, lane, key, is_ordered as isOrdered, head, headers, body, failures,
  first_failed_at as firstFailedAt, dead_letter_id as deadLetterId, redrives`;

const IS_WAITING = "(purpose = 'parked' and due_at is null)";

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
    const sql = `insert or replace into pr_held (service, id, purpose, due_at, destination, lane, key, is_ordered, head, headers, body, failures, first_failed_at,
      dead_letter_id, redrives) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    const {
      id,
      purpose,
      dueAt,
      destination,
      lane,
      key,
      isOrdered,
      envelope,
      headers,
      body,
      failures,
      firstFailedAt,
      deadLetterId,
      redrives,
    } = entry;
    const message = [headToColumn(envelope), headersToColumn(headers), body] as const;
    const failed = [failures, firstFailedAt ?? null, deadLetterId ?? null, redrives] as const;
    this.#connection.run(
      sql,
      this.#service,
      id,
      purpose,
      dueAt ?? null,
      destination,
      lane,
      key ?? null,
      Number(isOrdered),
      ...message,
      ...failed,
    );
  }

  complete(claimed: ClaimedHeld): void {
    const changes = this.#connection.run(
      `delete from pr_held where service = ? and id = ? and ${FENCE} = ?`,
      this.#service,
      claimed.id,
      claimed.fence,
    );
    if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: `the held message ${claimed.id}` });
  }

  postpone(claimed: ClaimedHeld, change: { readonly dueAt: number; readonly failures: number; readonly firstFailedAt: number }): void {
    const sql = `update pr_held set due_at = ?, failures = ?, first_failed_at = ?, fence = fence + 1, claimed_until = 0 where service = ? and id = ? and ${FENCE} = ?`;
    const changes = this.#connection.run(
      sql,
      change.dueAt,
      change.failures,
      change.firstFailedAt,
      this.#service,
      claimed.id,
      claimed.fence,
    );
    if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: `the held message ${claimed.id}` });
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
        const sql = `update pr_held set fence = fence + 1, claimed_until = 0 where service = ? and id = ? and ${FENCE} = ?`;
        for (const { id, fence } of claimed) connection.run(sql, service, id, fence);
      }),
    blockedKeys: (destination, lanes) => Promise.resolve(blockedKeys(access, destination, lanes)),
    nextDueAt: () =>
      reader.get<{ at: number | null }>(
        "select min(max(due_at, claimed_until)) as at from pr_held where service = ? and due_at is not null",
        service,
      )!.at ?? undefined,
    get(id) {
      const row = reader.get<HeldColumns>(`select ${COLUMNS} from pr_held where service = ? and id = ?`, service, id);
      return Promise.resolve(row === undefined ? undefined : entryOf(row));
    },
    list(page: Page & { readonly purpose?: HeldPurpose }) {
      const { where, order, parameters } = pageClause(page);
      const sql = `select ${COLUMNS} from pr_held where service = ? and purpose = coalesce(?, purpose) and ${where} ${order}`;
      return Promise.resolve(reader.all<HeldColumns>(sql, service, page.purpose ?? null, ...parameters).map(entryOf));
    },
    count() {
      const counts = { retry: 0, parked: 0, redrive: 0 };
      for (const row of reader.all<{ purpose: HeldPurpose; count: number }>(
        "select purpose, count(*) as count from pr_held where service = ? group by purpose",
        service,
      ))
        counts[row.purpose] = row.count;
      return Promise.resolve(counts);
    },
  };
}

type ClaimOptions = Parameters<HeldReader["claimDue"]>[0];

interface HeldColumns {
  readonly id: string;
  readonly purpose: HeldPurpose;
  readonly dueAt: number | null;
  readonly destination: string;
  readonly lane: number;
  readonly key: string | null;
  readonly isOrdered: number;
  readonly head: string | null;
  readonly headers: string | null;
  readonly body: string | Uint8Array;
  readonly failures: number;
  readonly firstFailedAt: number | null;
  readonly deadLetterId: string | null;
  readonly redrives: number;
}

const inLanes = (lanes: readonly number[] | undefined): string =>
  lanes === undefined ? "true" : `lane in (${lanes.map(Number).join(", ")})`;

const DUE = "service = ? and destination = ? and due_at <= ? and claimed_until <= ?";

/** A look before the write lock is asked for: mostly nothing is due. */
function hasDue({ service, reader, clock }: StoreAccess, { destination, lanes }: ClaimOptions): boolean {
  const nowMs = clock.now();
  return reader.get(`select 1 from pr_held where ${DUE} and ${inLanes(lanes)} limit 1`, service, destination, nowMs, nowMs) !== undefined;
}

function claimDue({ service, connection, clock }: StoreAccess, { destination, lanes, limit, leaseMs }: ClaimOptions): ClaimedHeld[] {
  const nowMs = clock.now();
  const sql = `select ${COLUMNS}, ${FENCE} + 1 as claim from pr_held where ${DUE} and ${inLanes(lanes)} order by due_at, sequence limit ?`;
  const rows = connection.all<HeldColumns & { readonly claim: number }>(sql, service, destination, nowMs, nowMs, limit);
  for (const { id } of rows)
    connection.run("update pr_held set fence = fence + 1, claimed_until = ? where service = ? and id = ?", nowMs + leaseMs, service, id);
  return rows.map((row) => ({ ...entryOf(row), fence: row.claim }));
}

function blockedKeys({ service, reader }: StoreAccess, destination: string, lanes: readonly number[] | undefined): readonly string[] {
  const sql = `select key from pr_held where service = ?1 and destination = ?2 and key is not null and is_ordered = 1 and ${inLanes(lanes)}
    union select key from pr_dead_letters where service = ?1 and destination = ?2 and key is not null and is_ordered = 1 and list = 'failed' and ${inLanes(lanes)}`;
  return reader.all<{ key: string }>(sql, service, destination).map(({ key }) => key);
}

function entryOf(row: HeldColumns): HeldMessage {
  return {
    id: row.id,
    purpose: row.purpose,
    dueAt: row.dueAt ?? undefined,
    destination: row.destination,
    lane: row.lane,
    key: row.key ?? undefined,
    isOrdered: row.isOrdered === 1,
    envelope: headFromColumn(row.head),
    headers: headersFromColumn(row.headers),
    body: row.body,
    failures: row.failures,
    firstFailedAt: row.firstFailedAt ?? undefined,
    deadLetterId: row.deadLetterId ?? undefined,
    redrives: row.redrives,
  };
}
