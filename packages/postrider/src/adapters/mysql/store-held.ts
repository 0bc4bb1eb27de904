import { fail } from "../../base/errors.ts";
import type { ClaimedHeld, HeldMessage, HeldPurpose, HeldReader, HeldWriter } from "../../ports/held.ts";
import { digestOf, fromBytes, fromBytesOrNull, int, messageColumns, messageOf, numberOrNull, toBytes, toBytesOrNull } from "./columns.ts";
import type { Row } from "./columns.ts";
import { keyLockOf, lock, NOW_MS } from "./place.ts";
import type { Run, Transact } from "./place.ts";

// Unique for ever: rows have sequences that are never used again, and each claim of a row counts on.
const FENCE = "(sequence * 65536 + fence)";

const COLUMNS = `id, purpose, due_at, destination, lane, message_key, key_digest, is_ordered, head, headers, body, is_text, failures, first_failed_at, dead_letter_id, redrives`;
const IS_WAITING = "(purpose = 'parked' and due_at is null)";
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
  return {
    put: async (entry) => {
      if (entry.isOrdered && entry.key !== undefined) await lockKey(entry.destination, entry.key);
      // One that is replaced counts as new: behind what is parked already, and under no claim of before.
      await run(`replace into pr_held (service, ${COLUMNS}) values (?, ${COLUMNS.replaceAll(/\w+/g, "?")})`, service, ...valuesOf(entry));
    },
    complete: async (claimed) =>
      assertOurs(claimed, await run(`delete from pr_held where ${OURS}`, service, toBytes(claimed.id), claimed.fence)),
    postpone: async (claimed, { dueAt, failures, firstFailedAt }) => {
      const sql = `update pr_held set due_at = ?, failures = ?, first_failed_at = ?, fence = fence + 1, claimed_until = 0 where ${OURS}`;
      assertOurs(claimed, await run(sql, dueAt, failures, firstFailedAt, service, toBytes(claimed.id), claimed.fence));
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
      const row = (await run(`select ${COLUMNS} from pr_held where service = ? and id = ?`, service, toBytes(id))).rows[0];
      return row === undefined ? undefined : entryOf(row);
    },
    list: async ({ purpose, limit, after }) => {
      const parts = ["service = ?", ...(purpose === undefined ? [] : ["purpose = ?"]), ...(after === undefined ? [] : ["id < ?"])];
      const values = [service, ...(purpose === undefined ? [] : [purpose]), ...(after === undefined ? [] : [toBytes(after)])];
      return (
        await run(`select ${COLUMNS} from pr_held where ${parts.join(" and ")} order by id desc limit ${int(limit)}`, ...values)
      ).rows.map(entryOf);
    },
    count: async () => {
      const counts = { retry: 0, parked: 0, redrive: 0 };
      const { rows } = await run("select purpose, count(*) as count from pr_held where service = ? group by purpose", service);
      for (const { purpose, count } of rows) counts[purpose as HeldPurpose] = Number(count);
      return counts;
    },
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
    const sql = `select ${COLUMNS}, sequence, ${FENCE} + 1 as claim from pr_held where ${due} order by due_at, sequence limit ${int(limit)} for update skip locked`;
    const { rows } = await own(sql, ...place);
    if (rows.length === 0) return [];
    const sequences = rows.map((row) => int(Number(row["sequence"]))).join(", ");
    await own(`update pr_held set fence = fence + 1, claimed_until = ${NOW_MS} + ${int(leaseMs)} where sequence in (${sequences})`);
    return rows.map((row) => ({ ...entryOf(row), fence: Number(row["claim"]) }));
  });
}

function inLanes(lanes: readonly number[] | undefined): string {
  if (lanes === undefined) return "true";
  return lanes.length === 0 ? "false" : `lane in (${lanes.map(int).join(", ")})`;
}

function assertOurs(claimed: ClaimedHeld, { changes }: { readonly changes: number }): void {
  if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: `the held message ${claimed.id}` });
}

function valuesOf(entry: HeldMessage): (string | number | Buffer | null)[] {
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
  const place = [toBytes(id), purpose, dueAt ?? null, toBytes(destination), lane, toBytesOrNull(key), digestOf(key), Number(isOrdered)];
  return [...place, ...messageColumns(envelope, headers, body), failures, firstFailedAt ?? null, toBytesOrNull(deadLetterId), redrives];
}

function entryOf(row: Row): HeldMessage {
  return {
    id: fromBytes(row["id"]),
    purpose: row["purpose"] as HeldPurpose,
    dueAt: numberOrNull(row["due_at"]),
    destination: fromBytes(row["destination"]),
    lane: row["lane"] as number,
    key: fromBytesOrNull(row["message_key"]),
    isOrdered: row["is_ordered"] === 1,
    ...messageOf(row),
    failures: row["failures"] as number,
    firstFailedAt: numberOrNull(row["first_failed_at"]),
    deadLetterId: fromBytesOrNull(row["dead_letter_id"]),
    redrives: row["redrives"] as number,
  };
}
