import type { MaybePromise } from "../../base/deferred.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import type { Delivery, Lane } from "../../ports/transport.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { StoredMessage } from "./tail.ts";

/** Who settles what it handed over. */
export interface Settler {
  ack(delivery: SqliteDelivery): Promise<void> | undefined;
  giveBack(delivery: SqliteDelivery): void;
  /** @throws PR_LEASE_LOST */
  assertOwned(delivery: SqliteDelivery): void;
}

/**
 * One hand-over of a message.
 *
 * States: *out* (handed over), *settling* (a turn that is not committed yet settles it; back to out if that comes to nothing), *over*.
 */
export class SqliteDelivery implements Delivery {
  readonly isRedelivered: boolean;
  readonly isHigh: boolean;
  readonly cursor: LaneCursor<SqliteDelivery>;
  /** See the class. */
  state: "out" | "settling" | "over" = "out";
  readonly #settler: Settler;
  readonly #stored: StoredMessage;

  constructor(stored: StoredMessage, cursor: LaneCursor<SqliteDelivery>, isHigh: boolean, settler: Settler, isRedelivered: boolean) {
    this.isRedelivered = isRedelivered;
    this.isHigh = isHigh;
    this.cursor = cursor;
    this.#settler = settler;
    this.#stored = stored;
  }

  get position(): number {
    return this.#stored.position;
  }

  get envelope(): Envelope | undefined {
    return this.#stored.envelope;
  }

  get headers(): Headers {
    return this.#stored.headers;
  }

  get body(): WireBody {
    return this.#stored.body;
  }

  get bytes(): number {
    return this.#stored.bytes;
  }

  get mayRepeat(): boolean {
    return this.#stored.mayRepeat;
  }

  get lane(): Lane {
    return this.cursor.lane;
  }

  ack(): MaybePromise<void> {
    if (this.state !== "out") return undefined;
    return this.#settler.ack(this);
  }

  giveBack(): MaybePromise<void> {
    if (this.state !== "out") return undefined;
    this.state = "over";
    this.#settler.giveBack(this);
    return undefined;
  }

  /** Inside a turn. @throws PR_LEASE_LOST unless its lane is still ours */
  assertOwned(): void {
    this.#settler.assertOwned(this);
  }

  /** The same message, to be handed over once more. */
  again(): SqliteDelivery {
    return new SqliteDelivery(this.#stored, this.cursor, this.isHigh, this.#settler, true);
  }
}
