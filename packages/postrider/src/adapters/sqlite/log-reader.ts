import type { Clock } from "../../base/clock.ts";
import type { DestinationStatus, ReadMessage, ReadRange } from "../../ports/transport.ts";
import { rowsAfter } from "./backlog.ts";
import type { Column, Connection } from "./connection.ts";
import type { Log } from "./log.ts";
import { StoredMessage } from "./scan.ts";
import { logTable } from "./schema.ts";
import { allDestinations } from "./topology.ts";

const PAGE_ROWS = 200;

const COLUMNS = "position, lane, type, bytes, stored_at, may_repeat, head, headers, body";

/** Reads a log from a position on, both tables in one order. Ends at `to`, or at what is there at the call. */
export async function* readLog(reader: Connection, log: Log, range: ReadRange, clock: Clock): AsyncIterable<ReadMessage> {
  const both = [logTable(log.id, false), logTable(log.id, true)];
  const last = Math.max(
    ...both.map((table) => reader.get<{ last: number | null }>(`select max(position) as last from ${table}`)!.last ?? 0),
  );
  const to = Math.min(range.to?.position ?? last, last);
  let after = startOf(reader, both, range, last) - 1;
  const page = both.map((table) => `select ${COLUMNS} from ${table} where position > ?1 and position <= ?2`).join(" union all ");
  while (after < to) {
    const statement = reader.prepare(`${page} order by position limit ${PAGE_ROWS}`);
    statement.setReturnArrays(true);
    const rows = statement.all(after, to) as unknown as readonly (readonly Column[])[];
    if (rows.length === 0) return;
    for (const row of rows) {
      const { position, lane, storedAt, envelope, headers, body } = new StoredMessage(row);
      after = position;
      yield { position, lane, storedAt: new Date(storedAt).toISOString(), envelope, headers, body };
    }
    await clock.yield();
  }
}

/** How all destinations of the file stand. */
export function destinationStatuses(reader: Connection): DestinationStatus[] {
  return allDestinations(reader).map(({ id, name }) => {
    const tables = [false, true].map((isHigh) => ({
      table: logTable(id, isHigh),
      position: isHigh ? "high_position" : "position",
      open: isHigh ? "high_open" : "open",
    }));
    const services = reader.all<{ service: string }>("select distinct service from pr_cursors where destination = ? order by service", id);
    const backlogOf = (service: string): number =>
      tables.reduce((sum, { table, position, open }) => {
        const sql = `select max(${position}) as furthest, min(${position}) as nearest, sum(json_array_length(coalesce(${open}, '[]'))) as open from pr_cursors where destination = ? and service = ?`;
        const { furthest, nearest, open: left } = reader.get<{ furthest: number; nearest: number; open: number }>(sql, id, service)!;
        return sum + left + rowsAfter(reader, table, furthest) + behind(reader, { table, position, id, service, nearest, furthest });
      }, 0);
    return {
      destination: name,
      messages: tables.reduce((sum, { table }) => sum + rowsAfter(reader, table, 0), 0),
      subscriptions: services.map(({ service }) => ({ service, backlog: backlogOf(service) })),
    };
  });
}

interface BehindOptions {
  readonly table: string;
  readonly position: string;
  readonly id: number;
  readonly service: string;
  readonly nearest: number;
  readonly furthest: number;
}

const COUNT_LIMIT = 2000;

/** What slower lanes still have before where the furthest one is; an upper bound where that is very much. */
function behind(reader: Connection, { table, position, id, service, nearest, furthest }: BehindOptions): number {
  if (furthest === nearest) return 0;
  if (furthest - nearest > COUNT_LIMIT) return rowsAfter(reader, table, nearest) - rowsAfter(reader, table, furthest);
  const sql = `select count(*) as count from ${table} l join pr_cursors c on c.destination = ? and c.service = ? and c.lane = l.lane
    where l.position > ? and l.position <= ? and l.position > c.${position}`;
  return reader.get<{ count: number }>(sql, id, service, nearest, furthest)!.count;
}

/** The first position that is wanted. */
function startOf(reader: Connection, tables: readonly string[], range: ReadRange, last: number): number {
  if (range.from === "earliest") return 0;
  if (range.from === "latest") return last + 1;
  if ("position" in range.from) return range.from.position;
  const time = Date.parse(range.from.time);
  return Math.min(...tables.map((table) => firstSince(reader, table, time) ?? last + 1));
}

/** Times grow with positions, so the first row of a time is found by halving. */
function firstSince(reader: Connection, table: string, time: number): number | undefined {
  const bounds = reader.get<{ low: number | null; high: number | null }>(
    `select min(position) as low, max(position) as high from ${table}`,
  )!;
  if (bounds.low === null || bounds.high === null) return undefined;
  let { low, high } = { low: bounds.low, high: bounds.high + 1 };
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = reader.get<{ position: number; storedAt: number }>(
      `select position, stored_at as storedAt from ${table} where position >= ? order by position limit 1`,
      middle,
    );
    if (row === undefined || row.storedAt >= time) high = middle;
    else low = row.position + 1;
  }
  return low;
}
