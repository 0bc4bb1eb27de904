import type { Effects, EffectState } from "../../ports/effects.ts";
import type { Leases } from "../../ports/leases.ts";
import type { ProgressBoard } from "../../ports/progress.ts";
import type { RetentionPolicy } from "../../ports/store.ts";
import type { Starts } from "../../ports/starts.ts";
import { fromBytes, fromBytesOrNull, int, toBytes, toBytesOrNull } from "./columns.ts";
import { NOW_MS } from "./place.ts";
import type { Run, Transact } from "./place.ts";

/** What was begun. */
export function starts(service: Buffer, run: Run): Starts {
  return {
    taken: async (destination, lane) => {
      const sql = "select position from pr_taken where service = ? and destination = ? and lane = ?";
      return Number((await run(sql, service, toBytes(destination), lane)).rows[0]?.["position"] ?? 0);
    },
    markTaken: async (marks) => {
      if (marks.length === 0) return;
      const rows = marks.map(() => "(?, ?, ?, ?)").join(", ");
      const values = marks.flatMap(({ destination, lane, position }) => [service, toBytes(destination), lane, position]);
      await run(
        `insert into pr_taken (service, destination, lane, position) values ${rows} on duplicate key update position = values(position)`,
        ...values,
      );
    },
    countStart: async (messageId) => {
      // The count comes as the "inserted id" of a row that was there.
      const sql = `insert into pr_starts (service, message_id, count, at) values (?, ?, 1, ${NOW_MS}) on duplicate key update count = last_insert_id(count + 1), at = values(at)`;
      const { changes, insertId } = await run(sql, service, toBytes(messageId));
      return changes === 1 ? 1 : insertId;
    },
    forget: async (messageIds) => {
      if (messageIds.length === 0) return;
      await run(
        `delete from pr_starts where service = ? and message_id in (${messageIds.map(() => "?").join(", ")})`,
        service,
        ...messageIds.map(toBytes),
      );
    },
  };
}

/** The effect ledger. */
export function effects(service: Buffer, run: Run): Effects {
  const find = async (key: string): Promise<{ readonly isDone: boolean; readonly result: string } | undefined> => {
    const row = (await run("select is_done, result from pr_effects where service = ? and effect = ?", service, toBytes(key))).rows[0];
    return row === undefined ? undefined : { isDone: row["is_done"] === 1, result: fromBytesOrNull(row["result"]) ?? "" };
  };
  return {
    async begin(key): Promise<EffectState> {
      const sql = `insert into pr_effects (service, effect, is_done, at) values (?, ?, 0, ${NOW_MS}) on duplicate key update seen = seen + 1`;
      if ((await run(sql, service, toBytes(key))).changes === 1) return { state: "intended" };
      const found = await find(key);
      return found?.isDone === true ? { state: "done", result: found.result } : { state: "intended" };
    },
    async finish(key, result) {
      // Assignments are made from left to right, and each sees those before it: `is_done` comes last.
      const sql = `insert into pr_effects (service, effect, result, is_done, at) values (?, ?, ?, 1, ${NOW_MS})
        on duplicate key update result = if(is_done = 1, result, values(result)), at = if(is_done = 1, at, values(at)), seen = seen + 1, is_done = 1`;
      await run(sql, service, toBytes(key), toBytes(result));
      return (await find(key))?.result ?? result;
    },
  };
}

/** Who may do what only one may do. */
export function leases(service: Buffer, run: Run, transact: Transact): Leases {
  return {
    acquire: (name, owner, leaseMs) =>
      transact(async (own) => {
        const [key, me] = [toBytes(name), toBytes(owner)];
        // The row is made, or locked, by the first statement; what follows is ours alone until the commit.
        await own(
          "insert into pr_leases (service, name, fence, lease_until) values (?, ?, 0, 0) on duplicate key update fence = fence",
          service,
          key,
        );
        const sql = `select owner, fence, lease_until > ${NOW_MS} as holds from pr_leases where service = ? and name = ? for update`;
        const row = (await own(sql, service, key)).rows[0]!;
        const isHeld = row["owner"] !== null && Number(row["holds"]) === 1;
        const isOurs = isHeld && me.equals(row["owner"] as Buffer);
        if (isHeld && !isOurs) return undefined;
        const fence = Number(row["fence"]) + Number(!isOurs);
        await own(
          `update pr_leases set owner = ?, fence = ?, lease_until = ${NOW_MS} + ${int(leaseMs)} where service = ? and name = ?`,
          me,
          fence,
          service,
          key,
        );
        return { name, fence };
      }),
    release: async ({ name, fence }, owner) => {
      const sql = "update pr_leases set owner = null, lease_until = 0 where service = ? and name = ? and owner = ? and fence = ?";
      await run(sql, service, toBytes(name), toBytes(owner), fence);
    },
  };
}

/** How far long work has come. */
export function progressBoard(service: Buffer, run: Run): ProgressBoard {
  return {
    report: async (messageId, { percent, note, at }) => {
      const sql = "replace into pr_progress (service, message_id, percent, note, at) values (?, ?, ?, ?, ?)";
      await run(sql, service, toBytes(messageId), percent, toBytesOrNull(note), Math.round(at));
    },
    get: async (messageId) => {
      const row = (await run("select percent, note, at from pr_progress where service = ? and message_id = ?", service, toBytes(messageId)))
        .rows[0];
      if (row === undefined) return undefined;
      const told = { percent: Number(row["percent"]), at: Number(row["at"]) };
      return row["note"] === null ? told : { ...told, note: fromBytes(row["note"]) };
    },
  };
}

/** Deletes what is older than a policy keeps, at most `batchRows` rows in all. Returns how many went. */
export async function cleanUp(service: Buffer, run: Run, policy: RetentionPolicy): Promise<number> {
  const sweeps: readonly (readonly [string, number, string])[] = [
    ["pr_inbox", policy.inboxMs, "true"],
    ["pr_dead_letters", policy.asideMs, "list in ('expired', 'unhandled')"],
    ["pr_effects", policy.effectsMs, "true"],
    ["pr_progress", policy.inboxMs, "true"],
    ["pr_starts", policy.effectsMs, "true"],
  ];
  let room = policy.batchRows;
  for (const [table, keptMs, only] of sweeps) {
    if (room <= 0) break;
    room -= (
      await run(`delete from ${table} where service = ? and at < ${NOW_MS} - ${int(keptMs)} and ${only} limit ${int(room)}`, service)
    ).changes;
  }
  return policy.batchRows - room;
}
