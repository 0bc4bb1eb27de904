import { isPromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import type { Decoded } from "../pipeline/decode.ts";
import type { ClaimedHeld } from "../ports/held.ts";
import type { DeadLetterList } from "../ports/dead-letters.ts";
import type { Delivery } from "../ports/transport.ts";
import { failureOf } from "./policy.ts";
import type { Failure } from "./policy.ts";
import type { Runtime } from "./runtime.ts";
import type { Settlement } from "./settlement.ts";

/** What does not become work. */
export type NotWork = Exclude<Decoded, { readonly kind: "ready" }>;

const OUTCOMES = { failed: "dead", unhandled: "unhandled", expired: "expired", quarantined: "quarantined", unsent: "dead" } as const;

/** Takes messages that no handler will see: skipped ones are settled, the others go to their list, byte for byte, while their neighbours flow on. */
export class Aside {
  readonly #runtime: Runtime;
  readonly #settlement: Settlement;

  constructor(runtime: Runtime, settlement: Settlement) {
    this.#runtime = runtime;
    this.#settlement = settlement;
  }

  /** Settles a delivery in the background. One that cannot be settled is given back. */
  put(delivery: Delivery, decoded: NotWork): void {
    if (decoded.kind === "notSubscribed") {
      const settled = delivery.ack();
      if (isPromise(settled)) settled.catch(() => undefined); // it comes again, and is skipped again
      this.#runtime.telemetry.settled(this.#runtime.service, delivery.envelope?.type ?? "", "skipped", 0);
      return;
    }
    const { list, failure } = verdictOf(decoded, this.#runtime.service, delivery.lane.destination);
    this.#bury(delivery, list, failure, decoded).catch((error: unknown) => this.#later(delivery, error));
  }

  /** A held message that its service no longer understands: kept as it is, in the dead letters again. */
  putHeld(claimed: ClaimedHeld, decoded: NotWork): void {
    const { service, logger, store } = this.#runtime;
    const { list, failure } =
      decoded.kind === "notSubscribed"
        ? unhandled(service, claimed.envelope?.type ?? "", claimed.destination)
        : verdictOf(decoded, service, claimed.destination);
    const letter = this.#settlement.letterOfHeld(claimed, list, failure);
    store!
      .transaction(async (transaction) => {
        await this.#settlement.addLetter(transaction, letter);
        await transaction.held.complete(claimed);
      })
      .catch((error: unknown) => logger.error({ err: error, service }, "a held message could not be given up; it stays held"));
  }

  async #bury(delivery: Delivery, list: DeadLetterList, failure: Failure, decoded: NotWork): Promise<void> {
    const runtime = this.#runtime;
    const contract = delivery.envelope?.type ?? "";
    const id = await this.#settlement.buryFound(delivery, list, failure, "envelope" in decoded ? decoded.envelope : undefined);
    runtime.telemetry.settled(runtime.service, contract, OUTCOMES[list], 0);
    const fields = { service: runtime.service, contract, code: failure.code, deadLetterId: id, destination: delivery.lane.destination };
    runtime.logger.warn(fields, `a message was put aside (${list}): ${failure.reason}`);
    if (list !== "expired")
      runtime.alert({ kind: "deadLetter", service: runtime.service, contract, code: failure.code, deadLetterId: id, text: failure.reason });
  }

  async #later(delivery: Delivery, error: unknown): Promise<void> {
    const { logger, clock, service } = this.#runtime;
    logger.error({ err: error, service }, "a message could not be put aside; it goes back");
    await clock.sleep(WAIT_MS);
    await delivery.giveBack();
  }
}

const WAIT_MS = 500;

function verdictOf(
  decoded: Exclude<NotWork, { readonly kind: "notSubscribed" }>,
  service: string,
  destination: string,
): { list: DeadLetterList; failure: Failure } {
  if (decoded.kind === "unreadable") return { list: "failed", failure: failureOf(decoded.error) };
  if (decoded.kind === "unhandled") return unhandled(service, decoded.envelope.type, destination);
  const { envelope } = decoded;
  return { list: "expired", failure: failureOf(fail("PR_EXPIRED", { id: envelope.id, contract: envelope.type, at: envelope.expirytime })) };
}

function unhandled(service: string, contract: string, destination: string): { list: DeadLetterList; failure: Failure } {
  return { list: "unhandled", failure: failureOf(fail("PR_UNHANDLED", { service, contract, destination })) };
}
