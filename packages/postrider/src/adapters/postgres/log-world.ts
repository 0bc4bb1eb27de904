import type { Clock } from "../../base/clock.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { PostgresDelivery } from "./delivery.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { Placed, WrittenMessage } from "./log-batch.ts";
import type { LogPlace } from "./log-place.ts";
import type { GroupCommit } from "./participant.ts";

/** What those who write to a log need of their transport. */
export interface LogWorld {
  readonly log: LogPlace;
  readonly clock: Clock;
  readonly commits: GroupCommit;
  /** Where messages go, but for answers to this process: those never become a row. @throws PR_DESTINATION_UNKNOWN */
  place(messages: readonly Outgoing[]): Promise<readonly Placed[]>;
  /**
   * These are committed: wakes their readers here and elsewhere, and hands over the answers to this process.
   *
   * With what the append answered, readers here need not read them back.
   */
  announce(messages: readonly Outgoing[], written: ReadonlyMap<number, readonly WrittenMessage[]>): void;
  /** Some of these lanes may be another's: asks for it at once. */
  doubt(cursors: readonly LaneCursor<PostgresDelivery>[]): void;
}
