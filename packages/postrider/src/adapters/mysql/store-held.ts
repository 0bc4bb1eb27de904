import type { ClaimedHeld, HeldReader, HeldWriter } from "../../ports/held.ts";
import { Clause, inLanes, replaceSql } from "../../rows/clause.ts";
import { given, numberOrNull } from "../../rows/columns.ts";
import { assertOurs, countsOf, heldNames, heldOf, heldValues, IS_WAITING } from "../../rows/held-row.ts";
import { COLUMNS, digestOf, fromBytes, int, toBytes, toBytesOrNull } from "./columns.ts";
import type { MysqlValue } from "./connection.ts";
import { keyLockOf, lock, NOW_MS } from "./place.ts";
import type { Run, Transact } from "./place.ts";

// Unique for ever: rows have sequences that are never used again, and each claim of a row counts on.
const FENCE = "(sequence * 65536 + fence)";

const NAMES = heldNames(COLUMNS);
const PUT = replaceSql("pr_held", NAMES);
const OF_KEY = "service = ? and destination = ? and key_digest = ?";
const OURS = `service = ? and id = ? and ${FENCE} = ?`;

/** Held messages inside a transaction. */
export function heldWriter(service: Buffer, run: Run): HeldWriter {
  // Nobody else parks behind the key or releases what is parked until the commit: else one would look, the other commit, and a message stay parked for ever.
  const lockKey = (destination: string, key: string): Promise<void> => lock(run, service, "heldKey", [keyLockOf(destination, key)]);
  const isBlockedBy = async (destination: string, key: string, exceptId: string | undefined, counts: string): Promise<boolean> => {
    const place = [service, toBytes(destination), digestOf(key), toBytesOrNull(exceptId)];
    const isHeld = `select 1 as blocks from pr_held where ${OF_KEY} and not (id <=> ?) and is_ordered = 1 and ${counts}`;
    const isDead = `select 1 from pr_dead_letters where ${OF_KEY} and not (id <=> ?) and is_ordered = 1 and list = 'failed'`;
    return (await run(`${isHeld} union all ${isDead} limit 1`, ...place, ...place)).rows.length > 0;
  };
  const change = async (claimed: ClaimedHeld, sql: string, ...values: readonly number[]): Promise<void> =>
    assertOurs(claimed, (await run(sql, ...values, service, toBytes(claimed.id), claimed.fence)).changes);
  return {
    put: async (entry) => {
      if (entry.isOrdered && entry.key !== undefined) await lockKey(entry.destination, entry.key);
      // One that is replaced counts as new: behind what is parked already, and under no claim of before.
      await run(PUT, service, ...heldValues(COLUMNS, entry));
    },
    complete: (claimed) => change(claimed, `delete from pr_held where ${OURS}`),
    postpone: (claimed, { dueAt, failures, firstFailedAt }) => {
      const sql = `update pr_held set due_at = ?, failures = ?, first_failed_at = ?, fence = fence + 1, claimed_until = 0 where ${OURS}`;
      return change(claimed, sql, dueAt, failures, firstFailedAt);
    },
    isBlocked: async (destination, key, exceptId) => {
      await lockKey(destination, key);
      return isBlockedBy(destination, key, exceptId, "true");
    },
    parkedCount: async (destination, key) => {
      const sql = `select count(*) as count from pr_held where ${OF_KEY} and ${IS_WAITING}`;
      return Number((await run(sql, service, toBytes(destination), digestOf(key))).rows[0]!["count"]);
    },
    releaseNext: async (destination, key) => {
      await lockKey(destination, key);
      if (await isBlockedBy(destination, key, undefined, `not ${IS_WAITING}`)) return false;
      const oldest = `select sequence from pr_held where ${OF_KEY} and ${IS_WAITING} order by sequence limit 1`;
      const row = (await run(oldest, service, toBytes(destination), digestOf(key))).rows[0];
      if (row === undefined) return false;
      return (await run(`update pr_held set due_at = ${NOW_MS} where sequence = ${int(Number(row["sequence"]))}`)).changes === 1;
    },
  };
}

/** Held messages outside transactions. */
export function heldReader(service: Buffer, run: Run, transact: Transact): HeldReader {
  return {
    claimDue: (options) => claimDue(service, run, transact, options),
    giveBack: async (claimed) => {
      const sql = `update pr_held set fence = fence + 1, claimed_until = 0 where ${OURS}`;
      if (claimed.length > 0)
        await transact(async (own) => {
          for (const { id, fence } of claimed) await own(sql, service, toBytes(id), fence);
        });
    },
    blockedKeys: async (destination, lanes) => {
      const of = `service = ? and destination = ? and message_key is not null and is_ordered = 1 and ${inLanes(lanes)}`;
      const sql = `select message_key from pr_held where ${of} union select message_key from pr_dead_letters where ${of} and list = 'failed'`;
      const place = [service, toBytes(destination)];
      return (await run(sql, ...place, ...place)).rows.map((row) => fromBytes(row["message_key"]));
    },
    nextDueAt: async () =>
      numberOrNull(
        (await run("select min(greatest(due_at, claimed_until)) as at from pr_held where service = ? and due_at is not null", service))
          .rows[0]!["at"],
      ),
    get: async (id) => {
      const row = (await run(`select ${NAMES} from pr_held where service = ? and id = ?`, service, toBytes(id))).rows[0];
      return row === undefined ? undefined : heldOf(COLUMNS, row);
    },
    list: async ({ purpose, limit, after }) => {
      const { sql, values } = new Clause<MysqlValue>("service = ?", service)
        .and("purpose = ?", purpose)
        .and("id < ?", given(COLUMNS, after));
      const { rows } = await run(`select ${NAMES} from pr_held where ${sql} order by id desc limit ${int(limit)}`, ...values);
      return rows.map((row) => heldOf(COLUMNS, row));
    },
    count: async () =>
      countsOf((await run("select purpose, count(*) as count from pr_held where service = ? group by purpose", service)).rows),
  };
}

async function claimDue(
  service: Buffer,
  run: Run,
  transact: Transact,
  options: Parameters<HeldReader["claimDue"]>[0],
): Promise<readonly ClaimedHeld[]> {
  const { destination, lanes, limit, leaseMs } = options;
  const due = `service = ? and destination = ? and due_at <= ${NOW_MS} and claimed_until <= ${NOW_MS} and ${inLanes(lanes)}`;
  const place = [service, toBytes(destination)];
  // A look before anything is locked: mostly nothing is due.
  if ((await run(`select 1 as due from pr_held where ${due} limit 1`, ...place)).rows.length === 0) return [];
  return transact(async (own) => {
    const sql = `select ${NAMES}, sequence, ${FENCE} + 1 as claim from pr_held where ${due} order by due_at, sequence limit ${int(limit)} for update skip locked`;
    const { rows } = await own(sql, ...place);
    if (rows.length === 0) return [];
    const sequences = rows.map((row) => int(Number(row["sequence"]))).join(", ");
    await own(`update pr_held set fence = fence + 1, claimed_until = ${NOW_MS} + ${int(leaseMs)} where sequence in (${sequences})`);
    return rows.map((row) => ({ ...heldOf(COLUMNS, row), fence: Number(row["claim"]) }));
  });
}
