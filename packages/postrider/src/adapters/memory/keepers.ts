import type { Effects, EffectState } from "../../ports/effects.ts";
import type { Lease, Leases } from "../../ports/leases.ts";
import type { ProgressBoard } from "../../ports/progress.ts";
import type { Starts } from "../../ports/starts.ts";
import type { StoreAccess } from "./access.ts";
import type { MemoryTables } from "./tables.ts";

/** What was begun. */
export function memoryStarts(access: StoreAccess): Starts {
  return {
    taken: (destination, lane) => access.direct((tables) => tables.taken.get(`${lane} ${destination}`) ?? 0),
    markTaken: (marks) =>
      access.direct((tables) => {
        for (const { destination, lane, position } of marks) tables.taken.set(`${lane} ${destination}`, position);
      }),
    countStart: (messageId) =>
      access.direct((tables) => {
        const count = (tables.starts.get(messageId) ?? 0) + 1;
        tables.starts.set(messageId, count);
        return count;
      }),
    forget: (messageIds) =>
      access.direct((tables) => {
        for (const messageId of messageIds) tables.starts.delete(messageId);
      }),
  };
}

/** The effect ledger. */
export function memoryEffects(access: StoreAccess): Effects {
  return {
    begin: (key) =>
      access.direct((tables): EffectState => {
        const known = tables.effects.get(key);
        if (known?.result !== undefined) return { state: "done", result: known.result };
        if (known === undefined) tables.effects.set(key, { at: access.clock.now(), result: undefined });
        return { state: "intended" };
      }),
    finish: (key, result) =>
      access.direct((tables) => {
        const known = tables.effects.get(key)?.result;
        if (known !== undefined) return known;
        tables.effects.set(key, { at: access.clock.now(), result });
        return result;
      }),
  };
}

/** Leases, judged by the world's clock. */
export function memoryLeases(access: StoreAccess): Leases {
  return {
    acquire: (name, owner, leaseMs) => access.direct((tables) => acquire(tables, access.clock.now(), { name, owner, leaseMs })),
    release: (lease, owner) =>
      access.direct((tables) => {
        const known = tables.leases.get(lease.name);
        if (known?.owner === owner && known.fence === lease.fence) tables.leases.set(lease.name, { ...known, until: 0 });
      }),
  };
}

/** How far long work has come. */
export function memoryProgress(access: StoreAccess): ProgressBoard {
  return {
    report: (messageId, progress) => access.direct((tables) => void tables.progress.set(messageId, progress)),
    get: (messageId) => access.direct((tables) => tables.progress.get(messageId)),
  };
}

function acquire(
  tables: MemoryTables,
  nowMs: number,
  wanted: { readonly name: string; readonly owner: string; readonly leaseMs: number },
): Lease | undefined {
  const { name, owner, leaseMs } = wanted;
  const known = tables.leases.get(name);
  const isHeld = known !== undefined && known.until > nowMs;
  if (isHeld && known.owner !== owner) return undefined;
  const fence = isHeld ? known.fence : (known?.fence ?? 0) + 1;
  tables.leases.set(name, { fence, owner, until: nowMs + leaseMs });
  return { name, fence };
}
