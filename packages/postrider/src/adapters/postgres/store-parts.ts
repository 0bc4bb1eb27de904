import type { DeadLetterReader } from "../../ports/dead-letters.ts";
import type { Effects } from "../../ports/effects.ts";
import type { HeldReader } from "../../ports/held.ts";
import type { InboxReader } from "../../ports/inbox.ts";
import type { Leases } from "../../ports/leases.ts";
import type { ProgressBoard } from "../../ports/progress.ts";
import type { ScheduleReader } from "../../ports/schedule.ts";
import type { Sql, SqlRow, SqlValue } from "../../ports/sql.ts";
import type { Starts } from "../../ports/starts.ts";
import type { RetentionPolicy } from "../../ports/store.ts";
import { cleaner } from "./clean-up.ts";
import type { PgClient, PgResult } from "./connection.ts";
import type { Run } from "./statement.ts";
import type { StoreHost } from "./store-host.ts";
import { effects, leases, progressBoard, starts } from "./store-keepers.ts";
import type { StorePlace } from "./store-place.ts";
import type { StoreTables } from "./store-tables.ts";
import { portableRows, userQuery } from "./user-sql.ts";
import { wrapStoreError } from "./vendor-error.ts";

/** What the parts outside transactions are made from. */
export interface StorePartsOptions {
  readonly place: StorePlace;
  readonly tables: StoreTables;
  readonly run: Run;
  readonly host: StoreHost;
  /** For error texts. */
  readonly name: string;
}

/** The parts of a store outside transactions. */
export interface StoreParts {
  readonly read: Sql;
  readonly inbox: InboxReader;
  readonly held: HeldReader;
  readonly starts: Starts;
  readonly schedule: ScheduleReader;
  readonly deadLetters: DeadLetterReader;
  readonly effects: Effects;
  readonly leases: Leases;
  readonly progress: ProgressBoard;
  readonly cleanUp: (policy: RetentionPolicy) => Promise<number>;
}

/** Makes them; their statements are made once. */
export function storeParts({ place, tables, run, host, name }: StorePartsOptions): StoreParts {
  return {
    read: committedRows(host, name),
    inbox: tables.inbox.reader(run),
    held: tables.held.reader(run),
    starts: starts(place, run),
    schedule: tables.schedule.reader(run),
    deadLetters: tables.deadLetters.reader(run),
    effects: effects(place, run),
    leases: leases(place, run),
    progress: progressBoard(place, run),
    cleanUp: cleaner(place, run),
  };
}

/** Users' statements that only read, each in a transaction of its own that can do nothing else. */
function committedRows(host: StoreHost, name: string): Sql {
  const execute = async (call: string, sql: string, parameters: readonly SqlValue[]): Promise<PgResult> => {
    try {
      const query = userQuery(sql, parameters);
      return await host.connections.lend(async (client, lease) => {
        const statements = [{ text: host.beginRead }, query, { text: "commit" }];
        const outcomes =
          client.pipeline === true
            ? await Promise.allSettled(statements.map((one) => client.query(one)))
            : await inTurn(client, statements);
        const failed = outcomes.find((outcome) => outcome.status === "rejected");
        if (outcomes.at(-1)!.status === "rejected") lease.isBroken = true; // it may still be in its transaction
        if (failed !== undefined) throw failed.reason;
        return (outcomes[1] as PromiseFulfilledResult<PgResult>).value;
      });
    } catch (error) {
      throw wrapStoreError(error, name, call);
    }
  };
  return {
    run: async (sql, ...parameters) => ({ changes: (await execute("read.run", sql, parameters)).rowCount ?? 0 }),
    get: async <Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]) =>
      portableRows(await execute("read.get", sql, parameters))[0] as Row | undefined,
    all: async <Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]) =>
      portableRows(await execute("read.all", sql, parameters)) as Row[],
  };
}

async function inTurn(
  client: PgClient,
  statements: readonly Parameters<PgClient["query"]>[0][],
): Promise<PromiseSettledResult<PgResult>[]> {
  const outcomes: PromiseSettledResult<PgResult>[] = [];
  for (const statement of statements) outcomes.push(...(await Promise.allSettled([client.query(statement)])));
  return outcomes;
}
