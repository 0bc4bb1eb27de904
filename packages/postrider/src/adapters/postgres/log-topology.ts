import { fail } from "../../base/errors.ts";
import type { Destination, Subscription, Topology, TopologyChange } from "../../ports/transport.ts";
import type { PgQueryable } from "./connection.ts";
import { readDestinations, unknownDestination } from "./log-destinations.ts";
import type { KnownDestination } from "./log-destinations.ts";
import { literal } from "./names.ts";

/** What is there of a topology. */
interface Found {
  readonly destinations: ReadonlyMap<string, KnownDestination>;
  /** `service on destination`. */
  readonly reads: ReadonlySet<string>;
}

/** How the schema differs from a topology. What it has besides is listed as extra: other apps may share it. */
export async function differences(client: PgQueryable, schema: string, topology: Topology): Promise<TopologyChange[]> {
  const found = await look(client, schema);
  const wanted = new Set(topology.destinations.map(({ name }) => name));
  const reads = new Set(topology.subscriptions.map(nameOf));
  const extra = (thing: string, detail: string): TopologyChange => ({ action: "extra", thing, detail });
  return [
    ...topology.destinations.flatMap((destination) => destinationChange(found.destinations.get(destination.name), destination)),
    ...topology.subscriptions
      .filter((subscription) => !found.reads.has(nameOf(subscription)))
      .map((subscription): TopologyChange => ({ action: "create", thing: nameOf(subscription), detail: `from ${subscription.from}` })),
    ...[...found.destinations.keys()].filter((name) => !wanted.has(name)).map((name) => extra(name, "not part of this app")),
    ...[...found.reads].filter((thing) => !reads.has(thing)).map((thing) => extra(thing, "keeps what it has not read")),
  ];
}

/** Makes what is missing, inside a transaction of the caller's. @throws PR_TOPOLOGY_DRIFT for what cannot be made to fit */
export async function applyTopology(client: PgQueryable, schema: string, topology: Topology): Promise<void> {
  await lockTopology(client, schema);
  const external = new Set(topology.destinations.filter(({ isExternal }) => isExternal).map(({ name }) => name));
  const drift = (await differences(client, schema, topology)).filter(
    ({ action, thing }) => action === "change" || (action === "create" && external.has(thing)),
  );
  if (drift.length > 0)
    throw fail("PR_TOPOLOGY_DRIFT", {
      transport: "postgres",
      changes: drift.map(({ action, thing, detail }) => `${action} ${thing} (${detail})`).join("; "),
    });
  for (const destination of topology.destinations) await createDestination(client, schema, destination);
  for (const subscription of topology.subscriptions) await ensureCursors(client, schema, subscription);
}

/** Keeps others from changing the topology until the transaction ends. */
export async function lockTopology(client: PgQueryable, schema: string): Promise<void> {
  await client.query({ text: `select pg_advisory_xact_lock(hashtext(${literal(`${schema}.topology`)}), 0)` });
}

/**
 * Remembers a subscription, so that the log keeps what it has not read. Inside a transaction of the caller's.
 *
 * "Latest" is after the last position that was given out: what is sent from now on comes behind it. A command has one owner: whoever takes it over goes on
 * where the slowest reader stands, and does not run again what an earlier owner has handled.
 */
export async function ensureCursors(client: PgQueryable, schema: string, subscription: Subscription): Promise<void> {
  const { service, destination, from } = subscription;
  await lockTopology(client, schema);
  const [found] = await readDestinations(client, schema, [destination.name]);
  if (found === undefined) throw unknownDestination(destination.name);
  const start = from === "earliest" ? "0" : lastPosition(schema, found.id);
  const isNew = `not exists (select 1 from ${schema}.pr_cursors where service = $1 and destination = $2)`;
  const earlier = earlierReader(schema, found.kind === "commands" ? "l.lane" : "null");
  const added = `insert into ${schema}.pr_cursors (service, destination, lane, position, open, high_position, high_open)
    select $1, $2, l.lane, coalesce(e.position, s.start), coalesce(e.open, '{}'), coalesce(e.high_position, s.start), coalesce(e.high_open, '{}')
    from generate_series(0, $3 - 1) as l (lane) cross join (select ${start} as start) s left join lateral (${earlier}) e on true where ${isNew} returning id, lane`;
  // What an earlier owner finished since its row was written is in rows beside it.
  const done = `insert into ${schema}.pr_done (cursor, position) select a.id, d.position from added a
    cross join lateral (${earlierReader(schema, found.kind === "commands" ? "a.lane" : "null")}) e join ${schema}.pr_done d on d.cursor = e.id`;
  await client.query({ text: `with added as (${added}) ${done}`, values: [service, found.id, found.lanes] });
}

/** SQL for the last position that was given out. The function asks for no more than the right to take the next one, the sequence's own row for more. */
export function lastPosition(schema: string, destination: number): string {
  return `coalesce(pg_sequence_last_value(${literal(`${schema}.pr_positions_${destination}`)}::regclass), 0)`;
}

/** The slowest of those who read a lane. */
function earlierReader(schema: string, lane: string): string {
  return `select c.* from ${schema}.pr_cursors c where c.destination = $2 and c.service <> $1 and c.lane = ${lane} order by ${FINISHED} limit 1`;
}

/** Everything up to here is finished, in columns of `pr_cursors`. */
export const FINISHED = "least(position, high_position, coalesce(open[1] - 1, position), coalesce(high_open[1] - 1, high_position))";

async function createDestination(client: PgQueryable, schema: string, { name, kind, lanes }: Destination): Promise<void> {
  await client.query({
    text: `insert into ${schema}.pr_destinations (name, kind, lanes) select $1, $2, $3
      where not exists (select 1 from ${schema}.pr_destinations where name = $1) on conflict do nothing`,
    values: [name, kind, lanes],
  });
  const [found] = await readDestinations(client, schema, [name]);
  if (found!.sequence === 0) await client.query({ text: `create sequence ${schema}.pr_positions_${found!.id}` });
}

async function look(client: PgQueryable, schema: string): Promise<Found> {
  const destinations = await readDestinations(client, schema, undefined);
  const { rows } = await client.query({
    text: `select distinct c.service || ' on ' || d.name as thing from ${schema}.pr_cursors c join ${schema}.pr_destinations d on d.id = c.destination order by 1`,
  });
  return {
    destinations: new Map(destinations.map((one) => [one.name, one])),
    reads: new Set(rows.map((row) => row["thing"] as string)),
  };
}

function destinationChange(found: KnownDestination | undefined, { name, kind, lanes }: Destination): TopologyChange[] {
  if (found === undefined) return [{ action: "create", thing: name, detail: `${kind}, ${lanes} lanes` }];
  if (found.lanes !== lanes) return [{ action: "change", thing: name, detail: `${found.lanes} lanes in the database, ${lanes} wanted` }];
  if (found.kind !== kind) return [{ action: "change", thing: name, detail: `${found.kind} in the database, ${kind} wanted` }];
  return [];
}

function nameOf({ service, destination }: Subscription): string {
  return `${service} on ${destination.name}`;
}
