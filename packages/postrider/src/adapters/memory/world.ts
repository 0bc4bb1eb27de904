import type { Clock } from "../../base/clock.ts";
import { systemClock } from "../../base/clock.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Headers, WireBody, Outgoing } from "../../envelope/envelope.ts";
import type { Store } from "../../ports/store.ts";
import type { Transport } from "../../ports/transport.ts";
import { MemoryCore } from "./core.ts";
import { MemoryStore } from "./store.ts";
import { MemoryTransport } from "./transport.ts";

/** What {@link memoryWorld} takes. */
export interface MemoryWorldOptions {
  /** Default the machine's own. */
  readonly clock?: Clock;
  /** Consumed messages kept per destination, for replay and new subscribers; unread ones are always kept. Default 1000. */
  readonly keepMessages?: number;
  /** How long a lane may take to change its owner, in milliseconds. Default 5000. */
  readonly revokeMs?: number;
  /** The largest body in bytes. Default none. */
  readonly maxBodyBytes?: number;
}

/** A message as somebody who knows nothing of Postrider would write it. */
export interface PlantedMessage {
  readonly body: WireBody;
  readonly headers?: Headers;
  /** Decides on the lane. Default none. */
  readonly key?: string;
}

/** A broker and a database in memory, shared by every transport and store made here. */
export interface MemoryWorld {
  /** Another connection to its messages. */
  transport(): Transport;
  /** A service's rows. */
  store(service: string): Store;
  /** Puts a foreign message into a destination. @throws PR_DESTINATION_UNKNOWN */
  plant(destination: string, message: PlantedMessage): void;
  /** Takes all lanes of a subscription from their owners without warning, as leases that are over, and gives them out anew. */
  loseLanes(service: string, destination: string): void;
  /** Calls back for each message once it is committed, answers included; returns how to stop. */
  onStored(listener: (message: Outgoing) => void): () => void;
  /** Grows with everything that happens: a world in which it stands still for a few turns of the process is at rest. */
  readonly activity: number;
  /**
   * Ends every transport, store and transaction made so far, as the death of their process would; nobody is told.
   *
   * What was committed stays. Go on with new transports and stores.
   */
  crash(): void;
}

/**
 * Makes an empty world. Deterministic: it has no timers but the clock's, and hands messages over in microtasks.
 *
 * Delivery: at least once, per lane in order. Durability: a crash of its users, not of the process.
 */
export function memoryWorld(options: MemoryWorldOptions = {}): MemoryWorld {
  const core = new MemoryCore({
    clock: options.clock ?? systemClock,
    keepMessages: options.keepMessages ?? 1000,
    revokeMs: options.revokeMs ?? 5000,
    maxBodyBytes: options.maxBodyBytes ?? Infinity,
  });
  return {
    transport: () => new MemoryTransport(core),
    store: (service) => new MemoryStore(core, service),
    plant(destination, { body, headers = NO_HEADERS, key = "" }) {
      core.broker.destination(destination).plant({ envelope: undefined, headers, body }, key, core.clock.now());
    },
    loseLanes: (service, destination) => core.broker.destination(destination).groups.get(service)?.loseLanes(),
    onStored: (listener) => core.broker.onStored(listener),
    get activity() {
      return core.turns.count;
    },
    crash: () => core.crash(),
  };
}
