import type { MaybePromise } from "../../base/deferred.ts";
import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";
import type { Delivery, Lane } from "../../ports/transport.ts";
import type { LaneCursor } from "./lane-cursor.ts";
import type { StoredMessage } from "./log-message.ts";

/** Who settles what it handed over. */
export interface Settler {
  ack(delivery: PostgresDelivery): Promise<void> | undefined;
  giveBack(delivery: PostgresDelivery): void;
}

/**
 * One hand-over of a message.
 *
 * States: *out* (handed over), *settling* (a commit that is not confirmed yet settles it; back to out if that comes to nothing), *over*.
 */
export class PostgresDelivery implements Delivery {
  readonly isRedelivered: boolean;
  readonly cursor: LaneCursor<PostgresDelivery>;
  /** See the class. */
  state: "out" | "settling" | "over" = "out";
  readonly #settler: Settler;
  readonly #stored: StoredMessage;

  constructor(stored: StoredMessage, cursor: LaneCursor<PostgresDelivery>, settler: Settler, isRedelivered: boolean) {
    this.isRedelivered = isRedelivered;
    this.cursor = cursor;
    this.#settler = settler;
    this.#stored = stored;
  }

  get position(): number {
    return this.#stored.position;
  }

  get isHigh(): boolean {
    return this.#stored.isHigh;
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

  /** The same message, to be handed over once more. */
  again(): PostgresDelivery {
    return new PostgresDelivery(this.#stored, this.cursor, this.#settler, true);
  }
}
