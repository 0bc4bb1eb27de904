import type { Clock } from "../../base/clock.ts";
import type { ConsumptionStatus, Subscription } from "../../ports/transport.ts";
import type { Connection } from "./connection.ts";
import type { SqliteDelivery } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { Log } from "./log.ts";
import { logTable } from "./schema.ts";

// Up to this many rows are counted one by one, which takes about a millisecond; beyond it their share is applied to what the ordinals say.
const COUNT_LIMIT = 1000;

/** What a status is made from. */
export interface BacklogOptions {
  readonly log: Log;
  readonly reader: Connection;
  readonly clock: Clock;
  readonly subscription: Subscription;
  readonly cursors: readonly LaneCursor<SqliteDelivery>[];
}

/** How a consumption stands. The backlog is exact up to a thousand rows and estimated beyond. */
export function consumptionStatus(options: BacklogOptions): ConsumptionStatus {
  const { clock, cursors } = options;
  let backlog = 0;
  let oldest: number | undefined;
  for (const isHigh of [false, true]) {
    const part = unsettled(options, isHigh);
    backlog += part.count;
    if (part.oldest !== undefined) oldest = Math.min(oldest ?? part.oldest, part.oldest);
  }
  const lagSeconds = oldest === undefined ? undefined : Math.max(0, (clock.now() - oldest) / 1000);
  return { lanes: cursors.map((cursor) => cursor.lane), backlog, lagSeconds };
}

function unsettled(
  { log, reader, subscription, cursors }: BacklogOptions,
  isHigh: boolean,
): { readonly count: number; readonly oldest: number | undefined } {
  const table = logTable(log.id, isHigh);
  const tracks = cursors.map((cursor) => ({ lane: cursor.lane.number, track: isHigh ? cursor.high : cursor.normal }));
  if (tracks.length === 0) return { count: 0, oldest: undefined };
  const from = Math.min(...tracks.map(({ track }) => track.frontier));
  const types = subscription.types === undefined ? undefined : new Set(subscription.types);
  const rows = reader.all<{ position: number; lane: number; type: string; storedAt: number }>(
    `select position, lane, type, stored_at as storedAt from ${table} where position > ? order by position limit ${COUNT_LIMIT + 1}`,
    from,
  );
  const byLane = new Map(tracks.map(({ lane, track }) => [lane, track]));
  const waiting = rows.filter(({ position, lane, type }) => {
    const track = byLane.get(lane);
    return track !== undefined && (types === undefined || types.has(type)) && (position > track.settledTo || track.open.has(position));
  });
  const oldest = waiting[0]?.storedAt;
  if (rows.length <= COUNT_LIMIT) return { count: waiting.length, oldest };
  const share = waiting.length / rows.length;
  return { count: Math.round(rowsAfter(reader, table, from) * share), oldest };
}

/** How many rows come after a position, without reading them. */
export function rowsAfter(reader: Connection, table: string, position: number): number {
  const first = reader.get<{ ordinal: number }>(`select ordinal from ${table} where position > ? order by position limit 1`, position);
  const last = reader.get<{ ordinal: number }>(`select ordinal from ${table} order by position desc limit 1`);
  return first === undefined || last === undefined ? 0 : last.ordinal - first.ordinal + 1;
}
