import type { Clock } from "../../base/clock.ts";
import { isPostriderError } from "../../base/errors.ts";
import type { Logger } from "../../ports/logger.ts";
import { OutboxLeader } from "./outbox-leader.ts";
import { PgOutboxReader } from "./outbox-reader.ts";
import { OutboxRows } from "./outbox-rows.ts";
import { NOTIFY, OutboxSignal } from "./outbox-signal.ts";
import { OutboxStream } from "./outbox-stream.ts";
import { OutboxSweep } from "./outbox-sweep.ts";
import { OutboxWatch } from "./outbox-watch.ts";
import { ReplicationSlot } from "./replication-slot.ts";
import { bound } from "./statement.ts";
import type { Run } from "./statement.ts";
import type { StoreHost } from "./store-host.ts";
import type { StorePlace } from "./store-place.ts";

/** What the reader of one service's outbox is made from. */
export interface OutboxPartsOptions {
  readonly place: StorePlace;
  readonly run: Run;
  readonly host: StoreHost;
}

/** The outbox of one service, outside transactions. */
export interface OutboxParts {
  readonly signal: OutboxSignal;
  readonly reader: PgOutboxReader;
}

const QUIET_MS = 60_000;

/** Makes what reads one service's outbox, and what tells of new rows. */
export function outboxParts(options: OutboxPartsOptions): OutboxParts {
  const { place, run, host } = options;
  const { clock, logger, ids, connections, listener, isPrepared, quotedSchema } = host;
  const signal = new OutboxSignal({
    service: place.service,
    schema: quotedSchema,
    listener,
    notify: (channel) => connections.query(bound(NOTIFY, [channel], isPrepared)),
    isLeading: () => reader.isLeading,
  });
  const rows = new OutboxRows(place, run);
  const leader = new OutboxLeader({ place, run, clock, owner: ids.next(), backend: () => host.listener.backend });
  const watch = new OutboxWatch({ service: place.service, run, clock, logger });
  const stream = streamOf(options, rows, () => signal.tell());
  const sweep = host.carriedBy === undefined ? undefined : new OutboxSweep({ rows, clock, slot: host.carriedBy });
  const reader = new PgOutboxReader({ clock, rows, leader, signal, watch, stream, sweep });
  return { signal, reader };
}

function streamOf({ place, run, host }: OutboxPartsOptions, rows: OutboxRows, onRows: () => void): OutboxStream | undefined {
  const { replication, schema, migrates, clock, random, logger } = host;
  const { service } = place;
  if (replication === undefined) return undefined;
  const slot = new ReplicationSlot({ run, service, schema, migrates });
  const onTrouble = quietly(clock, logger, service);
  return new OutboxStream({
    service,
    schema,
    rows,
    slot,
    connection: replication,
    clock,
    random,
    onRows,
    onTrouble,
  });
}

/** Says the same thing once a minute. */
function quietly(clock: Clock, logger: Logger, service: string): (error: Error) => void {
  const quietUntilMs = new Map<string, number>();
  return (error) => {
    const nowMs = clock.monotonicMs();
    if (nowMs < (quietUntilMs.get(error.message) ?? -Infinity)) return;
    quietUntilMs.clear(); // few texts at a time; the last one is what repeats
    quietUntilMs.set(error.message, nowMs + QUIET_MS);
    logger.warn({ err: error, service, code: isPostriderError(error) ? error.code : undefined }, error.message);
  };
}
