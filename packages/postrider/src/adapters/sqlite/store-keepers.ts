import type { Effects, EffectState } from "../../ports/effects.ts";
import type { Lease, Leases } from "../../ports/leases.ts";
import type { ProgressBoard, ProgressReport } from "../../ports/progress.ts";
import type { Starts } from "../../ports/starts.ts";
import type { StoreAccess } from "./place.ts";

/** What was begun. Its writes resolve with their commit: they have to outlive the process, not the machine. */
export function starts(access: StoreAccess): Starts {
  const { service, connection, reader, clock } = access;
  return {
    taken(destination, lane) {
      const sql = "select position from pr_taken where service = ? and destination = ? and lane = ?";
      return Promise.resolve(reader.get<{ position: number }>(sql, service, destination, lane)?.position ?? 0);
    },
    markTaken: (marks) =>
      access.write(
        () => {
          const sql =
            "insert into pr_taken (service, destination, lane, position) values (?, ?, ?, ?) on conflict do update set position = excluded.position";
          for (const { destination, lane, position } of marks) connection.run(sql, service, destination, lane, position);
        },
        { isVolatile: true },
      ),
    countStart: (messageId) =>
      access.write(
        () => {
          const sql =
            "insert into pr_starts (service, message_id, count, at) values (?, ?, 1, ?) on conflict do update set count = count + 1, at = excluded.at returning count";
          return connection.get<{ count: number }>(sql, service, messageId, clock.now())!.count;
        },
        { isVolatile: true },
      ),
    forget: (messageIds) =>
      access.write(
        () => {
          for (const messageId of messageIds)
            connection.run("delete from pr_starts where service = ? and message_id = ?", service, messageId);
        },
        { isVolatile: true },
      ),
  };
}

/** The effect ledger. */
export function effects(access: StoreAccess): Effects {
  const { service, connection, clock } = access;
  return {
    begin: (key) =>
      access.write((): EffectState => {
        const found = connection.get<{ isDone: number; result: string | null }>(
          "select is_done as isDone, result from pr_effects where service = ? and key = ?",
          service,
          key,
        );
        if (found?.isDone === 1) return { state: "done", result: found.result ?? "" };
        if (found === undefined)
          connection.run("insert into pr_effects (service, key, is_done, at) values (?, ?, 0, ?)", service, key, clock.now());
        return { state: "intended" };
      }),
    finish: (key, result) =>
      access.write(() => {
        const sql =
          "insert into pr_effects (service, key, result, is_done, at) values (?, ?, ?, 1, ?) on conflict do update set result = excluded.result, is_done = 1, at = excluded.at where is_done = 0";
        if (connection.run(sql, service, key, result, clock.now()) === 1) return result;
        return connection.get<{ result: string }>("select result from pr_effects where service = ? and key = ?", service, key)!.result;
      }),
  };
}

/** Who may do what only one may do. */
export function leases(access: StoreAccess): Leases {
  const { service, connection, clock } = access;
  return {
    acquire: (name, owner, leaseMs) =>
      access.write((): Lease | undefined => {
        const nowMs = clock.now();
        const found = connection.get<{ owner: string | null; fence: number; leaseUntil: number }>(
          "select owner, fence, lease_until as leaseUntil from pr_leases where service = ? and name = ?",
          service,
          name,
        );
        const isOurs = found?.owner === owner && found.leaseUntil > nowMs;
        if (found !== undefined && found.owner !== null && !isOurs && found.leaseUntil > nowMs) return undefined;
        const fence = isOurs ? found.fence : (found?.fence ?? 0) + 1;
        connection.run(
          "insert or replace into pr_leases (service, name, owner, fence, lease_until) values (?, ?, ?, ?, ?)",
          service,
          name,
          owner,
          fence,
          nowMs + leaseMs,
        );
        return { name, fence };
      }),
    release: ({ name, fence }, owner) =>
      access.write(() => {
        connection.run(
          "update pr_leases set owner = null, lease_until = 0 where service = ? and name = ? and owner = ? and fence = ?",
          service,
          name,
          owner,
          fence,
        );
      }),
  };
}

/** How far long work has come. */
export function progressBoard(access: StoreAccess): ProgressBoard {
  const { service, connection, reader } = access;
  return {
    report: (messageId, { percent, note, at }) =>
      access.write(
        () => {
          const sql = "insert or replace into pr_progress (service, message_id, percent, note, at) values (?, ?, ?, ?, ?)";
          connection.run(sql, service, messageId, percent, note ?? null, at);
        },
        { isVolatile: true },
      ),
    get(messageId) {
      const sql = "select percent, note, at from pr_progress where service = ? and message_id = ?";
      const row = reader.get<{ percent: number; note: string | null; at: number }>(sql, service, messageId);
      return Promise.resolve(row === undefined ? undefined : reportOf(row));
    },
  };
}

function reportOf({ percent, note, at }: { readonly percent: number; readonly note: string | null; readonly at: number }): ProgressReport {
  return note === null ? { percent, at } : { percent, at, note };
}
