import type { Clock } from "../../base/clock.ts";
import type { ConsumptionStatus, DestinationStatus, Subscription } from "../../ports/transport.ts";
import type { PostgresDelivery } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { LogFeed } from "./log-feed.ts";
import type { LogPlace } from "./log-place.ts";
import { readDestinations } from "./log-destinations.ts";
import { FINISHED } from "./log-topology.ts";

// Up to this many rows are counted one by one, which takes a few milliseconds; beyond it positions are taken for messages.
const COUNT_LIMIT = 10_000;

/** What a status is made from. */
export interface BacklogOptions {
  readonly log: LogPlace;
  readonly feed: LogFeed;
  readonly clock: Clock;
  readonly subscription: Subscription;
  readonly cursors: readonly LaneCursor<PostgresDelivery>[];
}

/** How a consumption stands. The backlog is exact up to ten thousand rows and estimated beyond. */
export async function consumptionStatus({ log, feed, subscription, cursors }: BacklogOptions): Promise<ConsumptionStatus> {
  const lanes = cursors.map(({ lane }) => lane);
  if (cursors.length === 0) return { lanes, backlog: 0, lagSeconds: undefined };
  const from = Math.min(...cursors.flatMap(({ normal, high }) => [normal.frontier, high.frontier]));
  const types = subscription.types ?? null;
  const text = `select position, lane, flags & 1 = 1 as "isHigh", stored_at as "storedAt", ${log.schema}.pr_now() as now
    from ${log.schema}.pr_read_positions($1, $2, $3, ${COUNT_LIMIT})`;
  const { rows } = await log.run("backlog", text, [feed.destination.id, from, types]);
  const byLane = new Map(cursors.map((cursor) => [cursor.lane.number, cursor]));
  const waiting = rows.filter((row) => {
    const track = byLane.get(row["lane"] as number)?.trackOf({ isHigh: row["isHigh"] === true });
    const position = Number(row["position"]);
    return track !== undefined && (position > track.settledTo || track.open.has(position));
  });
  const oldest = waiting[0];
  const lagSeconds = oldest === undefined ? undefined : Math.max(0, (Number(oldest["now"]) - Number(oldest["storedAt"])) / 1000);
  if (rows.length < COUNT_LIMIT) return { lanes, backlog: waiting.length, lagSeconds };
  const span = Math.max(COUNT_LIMIT, feed.end - from);
  return { lanes, backlog: Math.round((span * waiting.length) / rows.length), lagSeconds };
}

/** How all destinations of a schema stand. What a subscription does not want counts until its lanes have passed it. */
export async function destinationStatuses(log: LogPlace): Promise<DestinationStatus[]> {
  const destinations = await readDestinations(log.connections, log.schema, undefined);
  return Promise.all(destinations.map(({ id, name }) => statusOf(log, id, name)));
}

async function statusOf(log: LogPlace, id: number, destination: string): Promise<DestinationStatus> {
  const { schema } = log;
  const counted = `select count(*) from (select 1 from ${schema}.pr_log where destination = $1 limit ${COUNT_LIMIT}) l`;
  const span = `select coalesce(max(position) - min(position) + 1, 0) from ${schema}.pr_log where destination = $1`;
  const { rows } = await log.run("depth", `select (${counted}) as counted, (${span}) as span`, [id]);
  const messages = Number(rows[0]!["counted"]) < COUNT_LIMIT ? Number(rows[0]!["counted"]) : Number(rows[0]!["span"]);
  const services = `select service, min(${FINISHED}) as nearest
    from ${schema}.pr_cursors where destination = $1 group by service order by service`;
  const { rows: found } = await log.run("services", services, [id]);
  const subscriptions = await Promise.all(
    found.map(async (row) => ({
      service: row["service"] as string,
      backlog: await backlogOf(log, id, row["service"] as string, Number(row["nearest"])),
    })),
  );
  return { destination, messages, subscriptions };
}

/** How many messages behind `nearest` a service has not finished. */
export async function backlogOf(log: LogPlace, id: number, service: string, nearest: number): Promise<number> {
  const { schema } = log;
  const rows = `select position, lane, flags & 1 = 1 as is_high from ${schema}.pr_read_positions($1, $3, null, ${COUNT_LIMIT})`;
  const isOpen = `case when l.is_high then l.position > c.high_position or l.position = any (c.high_open) else l.position > c.position or l.position = any (c.open) end`;
  const text = `select count(*) as seen, count(*) filter (where ${isOpen} and not exists (select 1 from ${schema}.pr_done d where d.cursor = c.id and d.position = l.position)) as open,
      (select max(position) from ${schema}.pr_log where destination = $1) as last
    from (${rows}) l join ${schema}.pr_cursors c on c.destination = $1 and c.service = $2 and c.lane = l.lane`;
  const { rows: found } = await log.run("unread", text, [id, service, nearest]);
  const [seen, open] = [Number(found[0]!["seen"]), Number(found[0]!["open"])];
  if (seen < COUNT_LIMIT) return open;
  return Math.round(((Number(found[0]!["last"]) - nearest) * open) / seen);
}
