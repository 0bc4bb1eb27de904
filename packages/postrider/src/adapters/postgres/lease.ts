import type { PgClient, PgConnections, PgQuery, PgResult } from "./connection.ts";
import type { Places } from "./places.ts";

/** A connection of somebody's own, until it is released. */
export interface PgLease {
  readonly client: PgClient;
  /** Set it for a connection that may not be used again. It sets itself when the connection breaks. */
  isBroken: boolean;
  /** Runs a statement. Those that go out in one turn leave in one write. */
  query(query: PgQuery): Promise<PgResult>;
  /** Gives the connection back, or closes it if it is broken. */
  release(): void;
}

/** Borrows a connection for a transaction, once there is a place for one; `goesFirst` as in {@link Places.enter}. */
export async function leaseIn(places: Places, connections: PgConnections, goesFirst: boolean): Promise<PgLease> {
  const leave = await places.enter(goesFirst);
  try {
    const client = await connections.borrow();
    return leaseOf(client, leave);
  } catch (error) {
    leave();
    throw error;
  }
}

function leaseOf(client: PgClient, onReleased: () => void): PgLease {
  // A lent client has no listener of the pool's: without this one an error between two statements would end the process.
  const onError = (): void => void (lease.isBroken = true);
  const lease: PgLease = {
    client,
    isBroken: false,
    query(query) {
      if (client.pipeline === true) cork(client);
      return client.query(query);
    },
    release() {
      client.removeListener("error", onError);
      client.release(lease.isBroken);
      onReleased();
    },
  };
  client.on("error", onError);
  return lease;
}

const corked = new WeakSet<object>();

/** A write of its own costs more than what a small statement says: begin, first statements and commits go together. */
function cork({ connection }: PgClient): void {
  const stream = connection?.stream;
  if (stream?.cork === undefined || stream.uncork === undefined || corked.has(stream)) return;
  corked.add(stream);
  stream.cork();
  process.nextTick(() => {
    corked.delete(stream);
    stream.uncork!();
  });
}
