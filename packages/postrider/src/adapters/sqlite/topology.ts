import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Destination, Subscription, Topology, TopologyChange } from "../../ports/transport.ts";
import type { Connection } from "./connection.ts";
import { createLogTables, logTable } from "./schema.ts";

/** A row of `pr_destinations`. */
export interface DestinationRow {
  readonly id: number;
  readonly name: string;
  readonly kind: Destination["kind"];
  readonly lanes: number;
}

const DESTINATION_COLUMNS = "id, name, kind, lanes";

/** What is there of a destination. */
export function findDestination(connection: Connection, name: string): DestinationRow | undefined {
  return connection.get<DestinationRow>(`select ${DESTINATION_COLUMNS} from pr_destinations where name = ?`, name);
}

/** All destinations of the file. */
export function allDestinations(connection: Connection): DestinationRow[] {
  return connection.all<DestinationRow>(`select ${DESTINATION_COLUMNS} from pr_destinations order by name`);
}

/** How the file differs from a topology. What it has besides is listed as extra: other apps may share the file. */
export function differences(connection: Connection, topology: Topology): TopologyChange[] {
  const changes: TopologyChange[] = [];
  const wanted = new Set(topology.destinations.map(({ name }) => name));
  const reads = new Set(topology.subscriptions.map(({ service, destination }) => `${service} on ${destination.name}`));
  for (const { name, kind, lanes } of topology.destinations) {
    const found = findDestination(connection, name);
    if (found === undefined) changes.push({ action: "create", thing: name, detail: `${kind}, ${lanes} lanes` });
    else if (found.lanes !== lanes)
      changes.push({ action: "change", thing: name, detail: `${found.lanes} lanes in the file, ${lanes} wanted` });
    else if (found.kind !== kind) changes.push({ action: "change", thing: name, detail: `${found.kind} in the file, ${kind} wanted` });
  }
  for (const subscription of topology.subscriptions) {
    const thing = `${subscription.service} on ${subscription.destination.name}`;
    if (!hasCursors(connection, subscription)) changes.push({ action: "create", thing, detail: `from ${subscription.from}` });
  }
  for (const { name } of allDestinations(connection))
    if (!wanted.has(name)) changes.push({ action: "extra", thing: name, detail: "not part of this app" });
  const known =
    "select distinct c.service || ' on ' || d.name as thing from pr_cursors c join pr_destinations d on d.id = c.destination order by 1";
  for (const { thing } of connection.all<{ thing: string }>(known))
    if (!reads.has(thing)) changes.push({ action: "extra", thing, detail: "keeps what it has not read" });
  return changes;
}

/** Makes what is missing, inside a turn. @throws PR_TOPOLOGY_DRIFT for what cannot be made to fit */
export function applyTopology(connection: Connection, topology: Topology): void {
  const external = new Set(topology.destinations.filter(({ isExternal }) => isExternal).map(({ name }) => name));
  const drift = differences(connection, topology).filter(
    ({ action, thing }) => action === "change" || (action === "create" && external.has(thing)),
  );
  if (drift.length > 0)
    throw fail("PR_TOPOLOGY_DRIFT", {
      transport: "sqlite",
      changes: drift.map(({ action, thing, detail }) => `${action} ${thing} (${detail})`).join("; "),
    });
  for (const destination of topology.destinations) createDestination(connection, destination);
  for (const subscription of topology.subscriptions) ensureCursors(connection, subscription);
}

/** Remembers a subscription, so that the log keeps what it has not read. Inside a turn. */
export function ensureCursors(connection: Connection, subscription: Subscription): void {
  if (hasCursors(connection, subscription)) return;
  const { service, destination, from } = subscription;
  const found = findDestination(connection, destination.name);
  if (found === undefined) throw unknownDestination(destination.name);
  const position = from === "earliest" ? 0 : lastPosition(connection, found.id);
  const start: Place = { position, open: null };
  const others = found.kind === "commands" ? readersOf(connection, found.id) : [];
  const insert =
    "insert into pr_cursors (service, destination, lane, position, open, high_position, high_open) values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing";
  for (let lane = 0; lane < found.lanes; lane++) {
    // A command has one owner: whoever takes it over goes on where the slowest reader stands, and does not run again what an earlier owner has handled.
    const here = others.filter((other) => other.lane === lane);
    const normal = slowest(here.map((other) => other.normal)) ?? start;
    const high = slowest(here.map((other) => other.high)) ?? start;
    connection.run(insert, service, found.id, lane, normal.position, normal.open, high.position, high.open);
  }
}

/** How far a reader has come in one log: all up to `position` is taken, and `open` lists what of that is not finished. */
interface Place {
  readonly position: number;
  readonly open: string | null;
}

function readersOf(
  connection: Connection,
  destinationId: number,
): { readonly lane: number; readonly normal: Place; readonly high: Place }[] {
  const rows = connection.all<{ lane: number; position: number; open: string | null; highPosition: number; highOpen: string | null }>(
    "select lane, position, open, high_position as highPosition, high_open as highOpen from pr_cursors where destination = ?",
    destinationId,
  );
  return rows.map(({ lane, position, open, highPosition, highOpen }) => ({
    lane,
    normal: { position, open },
    high: { position: highPosition, open: highOpen },
  }));
}

function slowest(places: readonly Place[]): Place | undefined {
  return places.toSorted((one, other) => finishedUpTo(one) - finishedUpTo(other))[0];
}

/** Everything up to here is finished. */
export function finishedUpTo({ position, open }: Place): number {
  return open === null ? position : (JSON.parse(open) as number[])[0]! - 1;
}

/** The error for a destination that the file does not have. */
export function unknownDestination(name: string): PostriderError {
  return fail("PR_DESTINATION_UNKNOWN", { transport: "sqlite", destination: name });
}

function createDestination(connection: Connection, { name, kind, lanes }: Destination): void {
  connection.run("insert into pr_destinations (name, kind, lanes) values (?, ?, ?) on conflict do nothing", name, kind, lanes);
  createLogTables(connection, findDestination(connection, name)!.id);
}

function hasCursors(connection: Connection, { service, destination }: Subscription): boolean {
  const sql = "select 1 from pr_cursors c join pr_destinations d on d.id = c.destination where c.service = ? and d.name = ? limit 1";
  return connection.get(sql, service, destination.name) !== undefined;
}

function lastPosition(connection: Connection, id: number): number {
  const lastOf = (isHigh: boolean): number =>
    connection.get<{ last: number | null }>(`select max(position) as last from ${logTable(id, isHigh)}`)!.last ?? 0;
  return Math.max(lastOf(false), lastOf(true));
}
