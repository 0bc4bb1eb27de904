import type { RetentionPolicy } from "../../ports/store.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import type { StorePlace } from "./store-place.ts";

/** One table that is swept. */
interface Sweep {
  readonly old: Statement;
  readonly keptMs: (policy: RetentionPolicy) => number;
}

/** Makes what deletes rows older than a policy keeps, at most `batchRows` in all. It gives how many went. */
export function cleaner({ service, schema }: StorePlace, run: Run): (policy: RetentionPolicy) => Promise<number> {
  const sweeps = sweepsOf(schema);
  return async (policy) => {
    let room = policy.batchRows;
    for (const { old, keptMs } of sweeps) {
      if (room > 0) room -= (await run(old, service, Math.round(keptMs(policy)), room)).rowCount ?? 0;
    }
    return policy.batchRows - room;
  };
}

function sweepsOf(schema: string): readonly Sweep[] {
  const sweep = (table: string, keptMs: Sweep["keptMs"], only = "true"): Sweep => ({
    // Several instances clean up at once: each takes other rows, and none waits.
    old: statement(
      `delete from ${schema}.${table} where ctid = any (array(select ctid from ${schema}.${table}
       where service = $1 and at < ${NOW_MS} - $2::bigint and ${only} limit $3 for update skip locked))`,
    ),
    keptMs,
  });
  return [
    sweep("pr_inbox", ({ inboxMs }) => inboxMs),
    sweep("pr_dead_letters", ({ asideMs }) => asideMs, "list in ('expired', 'unhandled')"),
    sweep("pr_effects", ({ effectsMs }) => effectsMs),
    sweep("pr_progress", ({ inboxMs }) => inboxMs),
    sweep("pr_starts", ({ effectsMs }) => effectsMs),
  ];
}
