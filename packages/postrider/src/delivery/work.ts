import type { Deferred } from "../base/deferred.ts";
import type { FoundMessage } from "../envelope/envelope.ts";
import type { ReadyMessage } from "../pipeline/decode.ts";
import type { ClaimedHeld } from "../ports/held.ts";
import type { InboxEntry, InboxVerdict } from "../ports/inbox.ts";
import type { Delivery } from "../ports/transport.ts";
import type { LaneState } from "./lane-state.ts";
import type { Startable } from "./dispatcher.ts";
import type { Placed } from "./open-set.ts";

/** A question to the inbox that went out before its message's turn. */
export interface AskedAhead {
  readonly entry: InboxEntry;
  /** On the monotonic clock. */
  readonly atMs: number;
  /** Undefined where it could not be answered. */
  readonly verdict: Promise<InboxVerdict | undefined>;
}

/** Who runs a piece of work. */
export interface Runner {
  run(work: Work): void;
}

/**
 * One message on its way through a consumer: handed over by the transport, or by the store's held messages.
 *
 * States: *waiting* (decoded, at the gate or queued), *running* (its handler may have begun), *ended* (settled or given back; nothing more happens).
 */
export class Work implements Startable, Placed {
  readonly ready: ReadyMessage;
  readonly lane: LaneState;
  readonly delivery: Delivery | undefined;
  /** Renewed when the store hands the same claim over again. */
  held: ClaimedHeld | undefined;
  state: "waiting" | "running" | "ended" = "waiting";
  /** See {@link OpenSet}. */
  place = -1;
  /** Failed runs so far. */
  failures: number;
  firstFailedAt: number | undefined;
  /** Runs that came to nothing because the store was away. */
  storeLosses = 0;
  /** Began before, in a process that ended without settling it. */
  isSuspect = false;
  /** Its transaction is shared with no other: it has failed, or had to run again for another's sake. */
  runsAlone = false;
  /** What the inbox was asked while it waited for its turn. */
  asked: AskedAhead | undefined;
  /** Its completion leaves nothing that blocks its key; true only once that is about to be committed. */
  unblocksKey = false;
  /** Takes one of the places of its service. */
  hasPlace = false;
  /** Begun as the one probe of an outage. */
  isProbe = false;
  /** Rejects the run from outside: time limit, lost lane, end of a drain. */
  interrupt: ((reason: Error) => void) | undefined;
  /** When the run must have ended, on the monotonic clock; 0 = never. */
  deadlineAt = 0;
  /** Its run's, once the handler waits for something. */
  unit: { readonly isWaiting: boolean } | undefined;
  /** When it was last seen waiting for its turn to write; 0 = not then. */
  #waitsSinceMs = 0;
  /** Resolves when it has ended; made only when somebody waits. */
  ended: Deferred | undefined;
  readonly #runner: Runner;

  constructor(runner: Runner, ready: ReadyMessage, lane: LaneState, delivery: Delivery | undefined, held: ClaimedHeld | undefined) {
    this.#runner = runner;
    this.ready = ready;
    this.lane = lane;
    this.delivery = delivery;
    this.held = held;
    this.failures = held?.failures ?? 0;
    this.firstFailedAt = held?.firstFailedAt;
  }

  get key(): string | undefined {
    return this.ready.key;
  }

  get isHigh(): boolean {
    return this.ready.envelope.priority === "high";
  }

  get found(): FoundMessage {
    return (this.held ?? this.delivery)!;
  }

  get isRedrive(): boolean {
    return this.held?.deadLetterId !== undefined;
  }

  /** Whether its handler has had its time. That stands still while it waits for its turn to write: others have it. Asked again and again. */
  isOverdue(nowMs: number): boolean {
    if (this.deadlineAt === 0) return false;
    const isWaiting = this.unit?.isWaiting === true;
    if (isWaiting && this.#waitsSinceMs > 0) this.deadlineAt += nowMs - this.#waitsSinceMs;
    this.#waitsSinceMs = isWaiting ? nowMs : 0;
    return !isWaiting && this.deadlineAt <= nowMs;
  }

  start(): void {
    this.state = "running";
    this.#runner.run(this);
  }

  end(): void {
    this.state = "ended";
    this.interrupt = undefined;
    this.ended?.resolve();
  }
}
