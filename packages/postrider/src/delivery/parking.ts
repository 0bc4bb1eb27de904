import { fail } from "../base/errors.ts";
import type { Lane } from "../ports/transport.ts";
import type { LaneState } from "./lane-state.ts";
import type { Runtime } from "./runtime.ts";
import type { Settlement } from "./settlement.ts";
import type { Work } from "./work.ts";

/** What parking stands on. */
export interface ParkingOptions {
  readonly runtime: Runtime;
  readonly settlement: Settlement;
  readonly maxParkedPerKey: number;
}

/** Holds back messages of ordered contracts behind a failed one of their key. Bounded: a lane whose key has too many pauses, and goes on once the key is free. */
export class Parking {
  /** Set by the consumer: stops or resumes the hand-over of a lane. */
  pauseLane: (lane: Lane, isPaused: boolean) => void = () => undefined;
  /** Set by the floor: gives back what waits of a key. */
  turnBack: (lane: LaneState, key: string) => void = () => undefined;
  readonly #options: ParkingOptions;

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** Whether a message's key is blocked, as far as is known here; the store decides. */
  mustPark({ key, held, ready, lane }: Work): boolean {
    return key !== undefined && held === undefined && ready.definition.contract.ordered && lane.blocked.has(key);
  }

  /** Whether a message was held back; false means that its key is free after all. */
  async park(work: Work): Promise<boolean> {
    const { settlement, maxParkedPerKey, runtime } = this.#options;
    const { ready, lane } = work;
    const key = work.key!;
    const parked = await settlement.parkedCount(key);
    if (parked >= maxParkedPerKey) {
      this.#pause(lane, key, parked);
      // With all of its key that is in hand: a later one could find room, or the key free, before this one is back.
      lane.overfull.add(key);
      const givenBack = work.delivery!.giveBack();
      this.turnBack(lane, key);
      await givenBack;
      return true;
    }
    if (!(await settlement.park(work))) return false;
    runtime.telemetry.settled(runtime.service, ready.definition.contract.name, "parked", 0);
    return true;
  }

  /** Nothing blocks the key of a work any more. */
  unblock(work: Work): void {
    const { lane } = work;
    lane.blocked.delete(work.key!);
    if (lane.isPaused) void this.#resume(lane);
  }

  /** What was handed over before the pause must have been turned back first. */
  async #resume(lane: LaneState): Promise<void> {
    while (lane.intake !== undefined) await lane.intake;
    if (!lane.isPaused) return;
    lane.isPaused = false;
    lane.overfull.clear();
    this.pauseLane(lane.lane, false);
  }

  #pause(lane: LaneState, key: string, parked: number): void {
    const { runtime } = this.#options;
    if (lane.isPaused) return;
    lane.isPaused = true;
    this.pauseLane(lane.lane, true);
    const { destination, number } = lane.lane;
    const error = fail("PR_LANE_PAUSED", { destination, lane: number, parked, key });
    runtime.logger.error({ code: error.code, service: runtime.service }, error.message);
    runtime.alert({ kind: "lanePaused", service: runtime.service, code: error.code, text: error.message });
  }
}
