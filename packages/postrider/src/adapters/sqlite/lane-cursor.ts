import { fail } from "../../base/errors.ts";
import type { Outstanding } from "../../base/outstanding.ts";
import { leaseName, LogCursor } from "../../lanes/log-cursor.ts";
import type { OpenMessage } from "../../lanes/log-cursor.ts";
import { Track } from "../../lanes/track.ts";
import type { Lane } from "../../ports/transport.ts";
import type { Connection } from "./connection.ts";
import type { Participant, Turn } from "./turn.ts";

/** A lane's row in `pr_cursors`. */
export interface CursorRow {
  readonly id: number;
  readonly lane: number;
  readonly epoch: number;
  readonly owner: string | null;
  readonly leaseUntil: number;
  readonly position: number;
  readonly open: string | null;
  readonly highPosition: number;
  readonly highOpen: string | null;
}

/** What a cursor stands on. */
export interface CursorOptions {
  readonly connection: Connection;
  readonly owner: string;
  readonly outstanding: Outstanding;
  /** Called when something was settled, so that there is room for more. */
  readonly onRoom: () => void;
}

/** A lane that this process owns. */
export class LaneCursor<Message extends OpenMessage> extends LogCursor<Message> implements Participant {
  readonly id: number;
  /** The writer's version under which the lane was last seen to be ours. */
  verifiedVersion = 0;
  readonly #options: CursorOptions;
  readonly #finishing: Message[] = [];
  #isReleased = false;

  constructor(row: CursorRow, lane: Lane, options: CursorOptions) {
    const normal = new Track<Message>({ position: row.position, open: positionsOf(row.open) }, false);
    const high = new Track<Message>({ position: row.highPosition, open: positionsOf(row.highOpen) }, true);
    super(lane, { normal, high }, options.outstanding);
    this.id = row.id;
    this.#options = options;
  }

  /** Settles a message with the turn. The lane must have been seen to be ours in this turn. */
  finish(turn: Turn, message: Message): void {
    if (message.state === "over") return;
    message.state = "settling";
    this.trackOf(message).finish(message.position);
    this.#options.outstanding.remove(message.bytes);
    this.#finishing.push(message);
    turn.touch(this);
  }

  /** Gives the lane up with the turn. */
  release(turn: Turn): void {
    this.#isReleased = true;
    turn.touch(this);
  }

  flush(): void {
    if (this.state === "gone") return;
    const { connection, owner } = this.#options;
    const normal = this.normal.row();
    const high = this.high.row();
    const freed = this.#isReleased ? ", owner = null, lease_until = 0" : "";
    const sql = `update pr_cursors set position = ?, open = ?, high_position = ?, high_open = ?${freed} where id = ? and owner = ? and epoch = ?`;
    const changes = connection.run(
      sql,
      normal.position,
      columnOf(normal.open),
      high.position,
      columnOf(high.open),
      this.id,
      owner,
      this.lane.epoch,
    );
    if (changes !== 1) throw fail("PR_LEASE_LOST", { lease: leaseName(this.lane) });
  }

  committed(): void {
    if (this.#isReleased) this.leave();
    if (this.#finishing.length === 0) return;
    for (const message of this.#finishing) message.state = "over";
    this.#finishing.length = 0;
    this.#options.onRoom();
  }

  rolledBack(): void {
    this.#isReleased = false;
    for (const message of this.#finishing) {
      message.state = "out";
      this.trackOf(message).reopen(message.position, message);
      this.#options.outstanding.add(message.bytes);
    }
    this.#finishing.length = 0;
  }
}

/** A JSON list of positions, or null for none. */
function positionsOf(column: string | null): readonly number[] {
  return column === null ? [] : (JSON.parse(column) as number[]);
}

/** See {@link positionsOf}. */
function columnOf(positions: readonly number[]): string | null {
  return positions.length === 0 ? null : JSON.stringify(positions);
}
