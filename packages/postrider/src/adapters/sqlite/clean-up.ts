import type { RetentionPolicy } from "../../ports/store.ts";
import type { StoreAccess } from "./place.ts";

/** One table that is swept, by its primary key. */
interface Sweep {
  readonly table: string;
  readonly key: string;
  readonly keptMs: number;
  readonly only?: string;
}

/** Deletes what is older than the policy keeps, at most `batchRows` rows in all, inside a turn. Returns how many went. */
export function cleanUp({ connection, service, clock }: StoreAccess, policy: RetentionPolicy): number {
  const sweeps: readonly Sweep[] = [
    { table: "pr_inbox", key: "service, handler, message_id", keptMs: policy.inboxMs },
    { table: "pr_dead_letters", key: "service, id", keptMs: policy.asideMs, only: "list in ('expired', 'unhandled')" },
    { table: "pr_effects", key: "service, key", keptMs: policy.effectsMs },
    { table: "pr_progress", key: "service, message_id", keptMs: policy.inboxMs },
    { table: "pr_starts", key: "service, message_id", keptMs: policy.effectsMs },
  ];
  const nowMs = clock.now();
  let room = policy.batchRows;
  for (const { table, key, keptMs, only = "true" } of sweeps) {
    const old = `select ${key} from ${table} where service = ? and at < ? and ${only} limit ?`;
    if (room > 0) room -= connection.run(`delete from ${table} where (${key}) in (${old})`, service, nowMs - keptMs, room);
  }
  return policy.batchRows - room;
}
