import type { Effects, EffectState } from "../../ports/effects.ts";
import type { Leases } from "../../ports/leases.ts";
import type { ProgressBoard, ProgressReport } from "../../ports/progress.ts";
import type { Starts, TakenMark } from "../../ports/starts.ts";
import { fromText, toText } from "./column-text.ts";
import { SharedAsk } from "./shared-ask.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Run } from "./statement.ts";
import type { StorePlace } from "./store-place.ts";

// These have to outlive the process, not the machine: their commits need not wait for the server's disk. Valid for the one transaction that the statement is.
const NO_WAIT = "(select set_config('synchronous_commit', 'off', true) as setting) as no_wait where no_wait.setting = 'off'";

/** What was begun. Its writes resolve with their commit, before the disk has it. */
export function starts({ service, schema }: StorePlace, run: Run): Starts {
  const taken = statement(`select position from ${schema}.pr_taken where service = $1 and destination = $2 and lane = $3`);
  const mark = statement(
    `insert into ${schema}.pr_taken as t (service, destination, lane, position)
     select $1, m.destination, m.lane, m.position from unnest($2::text[], $3::integer[], $4::bigint[]) as m (destination, lane, position), ${NO_WAIT}
     on conflict (service, destination, lane) do update set position = excluded.position`,
  );
  // In one order for all: two that count the same messages at once must not wait for each other in a circle.
  const count = statement(
    `insert into ${schema}.pr_starts as s (service, message_id, count, at) select $1, m.id, 1, ${NOW_MS} from unnest($2::text[]) as m (id), ${NO_WAIT} order by m.id
     on conflict (service, message_id) do update set count = s.count + 1, at = excluded.at returning s.message_id, s.count`,
  );
  const forget = statement(
    `delete from ${schema}.pr_starts s using ${NO_WAIT.replace(" where ", " where s.service = $1 and s.message_id = any ($2::text[]) and ")}`,
  );
  const counts = new SharedAsk(async (ids: readonly string[]): Promise<ReadonlyMap<string, number>> => {
    const { rows } = await run(count, service, ids);
    return new Map(rows.map((row) => [row["message_id"] as string, row["count"] as number]));
  });
  const forgets = new SharedAsk(async (ids: readonly string[]) => void (await run(forget, service, ids)));
  return {
    taken: async (destination, lane) => Number((await run(taken, service, toText(destination), lane)).rows[0]?.["position"] ?? 0),
    markTaken: async (marks) => {
      const last = lastMarks(marks);
      if (last.length === 0) return;
      const destinations = last.map(({ destination }) => toText(destination));
      const lanes = last.map(({ lane }) => lane);
      const positions = last.map(({ position }) => position);
      await run(mark, service, destinations, lanes, positions);
    },
    countStart: async (messageId) => {
      const id = toText(messageId);
      return (await counts.of([id])).get(id)!;
    },
    forget: async (messageIds) => {
      if (messageIds.length > 0) await forgets.of(messageIds.map(toText));
    },
  };
}

/** One mark for each lane, the last of several, and all in one order: two that mark the same lanes at once must not wait for each other in a circle. */
function lastMarks(marks: readonly TakenMark[]): readonly TakenMark[] {
  if (marks.length < 2) return marks;
  const byPlace = new Map(marks.map((mark) => [`${mark.destination}\u0000${mark.lane}`, mark]));
  return [...byPlace].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, mark]) => mark);
}

/** The effect ledger. */
export function effects({ service, schema }: StorePlace, run: Run): Effects {
  const table = `${schema}.pr_effects`;
  const intend = statement(
    `insert into ${table} (service, key, is_done, at) values ($1, $2, false, ${NOW_MS}) on conflict do nothing returning is_done, result`,
  );
  const find = statement(`select is_done, result from ${table} where service = $1 and key = $2`);
  const finish = statement(
    `insert into ${table} as e (service, key, result, is_done, at) values ($1, $2, $3, true, ${NOW_MS})
     on conflict (service, key) do update set result = excluded.result, is_done = true, at = excluded.at where not e.is_done returning e.result`,
  );
  return {
    async begin(key): Promise<EffectState> {
      const id = toText(key);
      // Known from before, unless it was new, or was cleaned up between the two statements: then it is new again.
      const added = await run(intend, service, id);
      const row = added.rows[0] ?? (await run(find, service, id)).rows[0] ?? (await run(intend, service, id)).rows[0];
      return row?.["is_done"] === true ? { state: "done", result: fromText(row["result"]) } : { state: "intended" };
    },
    async finish(key, result) {
      const id = toText(key);
      const row = (await run(finish, service, id, toText(result))).rows[0] ?? (await run(find, service, id)).rows[0];
      return row === undefined ? result : fromText(row["result"]);
    },
  };
}

/** Who may do what only one may do. */
export function leases({ service, schema }: StorePlace, run: Run): Leases {
  const table = `${schema}.pr_leases`;
  const acquire = statement(
    `insert into ${table} as l (service, name, owner, fence, lease_until) values ($1, $2, $3, 1, ${NOW_MS} + $4::bigint)
     on conflict (service, name) do update set owner = excluded.owner, lease_until = ${NOW_MS} + $4::bigint,
       fence = case when l.owner = excluded.owner and l.lease_until > ${NOW_MS} then l.fence else l.fence + 1 end
     where l.owner is null or l.owner = excluded.owner or l.lease_until <= ${NOW_MS} returning fence`,
  );
  const release = statement(
    `update ${table} set owner = null, lease_until = 0 where service = $1 and name = $2 and owner = $3 and fence = $4`,
  );
  return {
    acquire: async (name, owner, leaseMs) => {
      const row = (await run(acquire, service, toText(name), toText(owner), Math.round(leaseMs))).rows[0];
      return row === undefined ? undefined : { name, fence: Number(row["fence"]) };
    },
    release: async ({ name, fence }, owner) => void (await run(release, service, toText(name), toText(owner), fence)),
  };
}

/** How far long work has come. */
export function progressBoard({ service, schema }: StorePlace, run: Run): ProgressBoard {
  const table = `${schema}.pr_progress`;
  const report = statement(
    `insert into ${table} (service, message_id, percent, note, at) select $1, $2, $3::double precision, $4, $5::bigint from ${NO_WAIT}
     on conflict (service, message_id) do update set percent = excluded.percent, note = excluded.note, at = excluded.at`,
  );
  const find = statement(`select percent, note, at from ${table} where service = $1 and message_id = $2`);
  return {
    report: async (messageId, { percent, note, at }) =>
      void (await run(report, service, toText(messageId), percent, note === undefined ? null : toText(note), Math.round(at))),
    get: async (messageId): Promise<ProgressReport | undefined> => {
      const row = (await run(find, service, toText(messageId))).rows[0];
      if (row === undefined) return undefined;
      const told = { percent: Number(row["percent"]), at: Number(row["at"]) };
      return row["note"] === null ? told : { ...told, note: fromText(row["note"]) };
    },
  };
}
