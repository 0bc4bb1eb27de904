import type { Clock } from "../base/clock.ts";
import { isPromise } from "../base/deferred.ts";
import type { Outstanding } from "../base/outstanding.ts";
import type { Lane, Sink } from "../ports/transport.ts";
import type { Track } from "./track.ts";

/** What a cursor needs to know of a message that is handed over. */
export interface OpenMessage {
  readonly position: number;
  readonly bytes: number;
  readonly isHigh: boolean;
  state: "out" | "settling" | "over";
}

// How long a sink has to wind a lane up. The bus drains before it closes, so this is for lanes that move while it runs.
const REVOKE_MS = 8000;

/**
 * A lane of a log that this process owns.
 *
 * States: *starting* (the sink is told), *active* (handed over from), *revoking* (the sink winds up; what is out can still be settled), *gone* (no
 * longer ours: nothing of it is settled any more).
 */
export abstract class LogCursor<Message extends OpenMessage, Own extends Track<Message> = Track<Message>> {
  readonly lane: Lane;
  readonly normal: Own;
  readonly high: Own;
  state: "starting" | "active" | "revoking" | "gone" = "starting";
  isPaused = false;
  /** What was given back and waits to be handed over again, by position. */
  readonly returned: Message[] = [];
  readonly #outstanding: Outstanding;

  constructor(lane: Lane, tracks: { readonly normal: Own; readonly high: Own }, outstanding: Outstanding) {
    this.lane = lane;
    this.normal = tracks.normal;
    this.high = tracks.high;
    this.#outstanding = outstanding;
  }

  /** Whether messages are handed over from it now. */
  get isFlowing(): boolean {
    return this.state === "active" && !this.isPaused;
  }

  trackOf(message: { readonly isHigh: boolean }): Own {
    return message.isHigh ? this.high : this.normal;
  }

  /** Tells the sink that it came. False when the sink does not take it, and has said why. */
  async start(sink: Sink): Promise<boolean> {
    try {
      const told = sink.onAssigned(this.lane);
      if (isPromise(told)) await told;
    } catch {
      return false;
    }
    if (this.state === "starting") this.state = "active";
    return true;
  }

  /** Tells the sink that it goes, and waits until it has wound up, or for its deadline. */
  async windUp(reason: "rebalance" | "closing", sink: Sink, clock: Clock): Promise<void> {
    if (this.state === "gone" || this.state === "revoking") return;
    this.state = "revoking";
    await new Promise<void>((resolve) => {
      const timer = clock.after(REVOKE_MS, resolve, { keepAlive: true });
      const done = (): void => {
        timer.cancel();
        resolve();
      };
      Promise.resolve(sink.onRevoked(this.lane, reason, REVOKE_MS)).then(done, done);
    });
  }

  /** Keeps a given-back message, in the order of the lane. */
  takeBack(message: Message): void {
    const { returned } = this;
    let at = returned.length;
    while (at > 0 && returned[at - 1]!.position > message.position) at--;
    returned.splice(at, 0, message);
    this.trackOf(message).open.set(message.position, message);
  }

  /** It is no longer ours: what is out of it does not count any more. */
  leave(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    const inMemory = new Set(this.returned);
    for (const message of [...this.normal.open.values(), ...this.high.open.values()]) {
      if (message !== undefined && !inMemory.has(message)) this.#outstanding.remove(message.bytes);
    }
    this.returned.length = 0;
  }
}

/** How a lane is called in errors. */
export function leaseName(lane: Lane): string {
  return `${lane.service} on ${lane.destination}, lane ${lane.number}`;
}
