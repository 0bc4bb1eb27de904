import type { Clock, Timer } from "../../base/clock.ts";
import type { FileParts } from "./parts.ts";

/** What a pulse stands on. */
export interface PulseOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly parts: FileParts;
  /** Called on each beat with for how long the open transaction has been held, and by whom. */
  readonly onBeat: (heldMs: number, holder: string | undefined) => void;
}

const BEAT_MS = 100;
const TRIM_EVERY_BEATS = 5;
const LOOK_EVERY_BEATS = 10;
const CLEAN_EVERY_BEATS = 100;

// Looking whether others have written costs about 3 us: often while they do, seldom while they do not.
const POLL_MIN_MS = 1;
const POLL_MAX_MS = 20;
const POLL_GROWTH = 1.5;
const ACTIVE_FOR_MS = 250;

/** What a file does again and again: renewing leases, moving the log into the database, cutting logs, looking for what other processes wrote, and for room. */
export class Pulse {
  readonly #options: PulseOptions;
  #beat: Timer | undefined;
  #poll: Timer | undefined;
  #beats = 0;
  #pollMs = POLL_MAX_MS;
  #foreignAtMs = -Infinity;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#beatLater();
    this.#pollLater();
  }

  /** Others have written. */
  noteForeign(): void {
    this.#foreignAtMs = this.#options.clock.monotonicMs();
    this.#pollMs = POLL_MIN_MS;
  }

  stop(): void {
    this.#beat?.cancel();
    this.#poll?.cancel();
  }

  #beatLater(): void {
    const { clock, leaseMs, parts, onBeat } = this.#options;
    this.#beat = clock.after(Math.min(BEAT_MS, leaseMs / 8), () => {
      this.#beatLater();
      this.#beats++;
      onBeat(parts.writer.heldMs, parts.writer.holder);
      parts.keeper.tick();
      parts.writer.expire(clock.monotonicMs());
      parts.sync?.expire(clock.monotonicMs());
      if (this.#beats % 2 === 0) parts.checkpointer.tick();
      if (this.#beats % TRIM_EVERY_BEATS === 0) void parts.trimmer.run();
      if (this.#beats % LOOK_EVERY_BEATS === 0) this.#look();
      if (this.#beats % CLEAN_EVERY_BEATS === 0) void parts.replies.cleanUp();
    });
  }

  #look(): void {
    const { watch, space } = this.#options.parts;
    void watch.look();
    space.tick();
  }

  #pollLater(): void {
    const { clock, parts } = this.#options;
    this.#poll = clock.after(this.#pollMs, () => {
      if (clock.monotonicMs() - this.#foreignAtMs > ACTIVE_FOR_MS) this.#pollMs = Math.min(POLL_MAX_MS, this.#pollMs * POLL_GROWTH);
      this.#pollLater();
      parts.writer.poll();
    });
  }
}
