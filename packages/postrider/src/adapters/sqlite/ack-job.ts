import { deferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";
import { isPostriderError } from "../../base/errors.ts";
import { listOf } from "../../base/list-of.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { SqliteDelivery } from "./delivery.ts";
import type { Job, Turn } from "./turn.ts";

/** What an acknowledgement needs of its subscription. */
export interface AckOwner {
  /** @throws PR_LEASE_LOST */
  assertOwned(delivery: SqliteDelivery): void;
  /** The job runs now: what is acknowledged from now on needs another one. */
  started(job: AckJob): void;
  /** It could not be written. Whether it will be tried again. */
  retry(job: AckJob): boolean;
}

/** All deliveries that one subscription acknowledged since its last turn. */
export class AckJob implements Job {
  readonly isVolatile = false;
  readonly deliveries: SqliteDelivery[] = listOf();
  readonly #owner: AckOwner;
  readonly #outcome: Deferred = deferred();

  constructor(owner: AckOwner) {
    this.#owner = owner;
    this.#outcome.promise.catch(() => undefined); // nobody has to wait for it
  }

  get promise(): Promise<void> {
    return this.#outcome.promise;
  }

  run(turn: Turn): void {
    this.#owner.started(this);
    for (const delivery of this.deliveries) {
      if (this.#isOurs(delivery)) delivery.cursor.finish(turn, delivery);
    }
  }

  /** Whatever becomes of the sync, what is committed is not written again: messages need not live as long as a busy disk takes. */
  committed(): void {
    this.deliveries.length = 0;
  }

  durable(): void {
    this.#outcome.resolve();
  }

  failed(error: PostriderError): void {
    if (error.retryable && this.#owner.retry(this)) for (const delivery of this.deliveries) delivery.state = "settling";
    else this.#outcome.reject(error);
  }

  /** A lane that has gone is its next owner's, and this settling says nothing. */
  #isOurs(delivery: SqliteDelivery): boolean {
    try {
      this.#owner.assertOwned(delivery);
      return true;
    } catch (error) {
      if (!isPostriderError(error, "PR_LEASE_LOST")) throw error;
      delivery.state = "over";
      return false;
    }
  }
}
