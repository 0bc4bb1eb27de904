import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { isPostriderError } from "../base/errors.ts";
import { deadLetterOf } from "../deadletters/letter.ts";
import type { DeadLetter, DeadLetterList } from "../ports/dead-letters.ts";
import type { HeldMessage } from "../ports/held.ts";
import type { StoreTransaction } from "../ports/store.ts";
import type { Delivery, Colocated } from "../ports/transport.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { writeBrokerLetter } from "./broker-letters.ts";
import type { LetterCopier } from "./letter-copies.ts";
import type { Failure } from "./policy.ts";
import { failedReply } from "./reply.ts";
import { enlist, inOrder } from "./runtime.ts";
import type { Runtime } from "./runtime.ts";
import type { Work } from "./work.ts";

/** What a settlement needs to know of its consumer. */
export interface SettlementOptions {
  readonly runtime: Runtime;
  readonly destination: string;
  readonly colocated: Colocated | undefined;
  readonly copier: LetterCopier;
  /** Called after a commit that held a message: when it is due. */
  readonly onHeld: (dueAt: number) => void;
}

/** What is known of a message given up besides its delivery. */
interface FoundLetter {
  readonly id: string;
  readonly envelope: Envelope | undefined;
  readonly attempts: number;
}

/** Ends messages otherwise than by success, each in one transaction with its settling: put off, parked, given up. Nothing is ever settled before its row is safe. */
export class Settlement {
  readonly #options: SettlementOptions;
  #heard: Promise<void> | undefined;

  constructor(options: SettlementOptions) {
    this.#options = options;
  }

  /** Whether a success is settled within its transaction; else the transport is told afterwards. */
  isInside(work: Work): boolean {
    return work.held !== undefined || this.#options.colocated !== undefined;
  }

  /** What must be written with a success besides the handler's own work; undefined where the transport settles by itself afterwards. */
  settlingOf(work: Work): ((transaction: StoreTransaction) => MaybePromise<void>) | undefined {
    const { delivery } = work;
    if (work.held !== undefined) return (transaction) => this.#completeHeld(transaction, work);
    const { colocated } = this.#options;
    return colocated === undefined ? undefined : (transaction) => colocated.settleIn(transaction, delivery!);
  }

  /** Settles a message that needs nothing else, and waits for nobody. */
  settleQuietly(delivery: Delivery): void {
    const settled = delivery.ack();
    // What a transport settles together has one promise: that is heard once, and not by each of a hundred.
    if (settled === this.#heard || !isPromise(settled)) return;
    this.#heard = settled;
    const { logger, service } = this.#options.runtime;
    settled.catch((error: unknown) => logger.warn({ err: error, service }, "handled messages could not be settled; they will come again"));
  }

  /** Settles a message that needs nothing else. */
  async settle(work: Work): Promise<void> {
    if (work.held !== undefined) await this.#write(work, []);
    else await work.delivery!.ack();
  }

  /** Puts a failed message off until `dueAt`. */
  async retryLater(work: Work, dueAt: number): Promise<void> {
    const { held } = work;
    const failed = { dueAt, failures: work.failures, firstFailedAt: work.firstFailedAt! };
    // Before the write: one that is answered by silence may have held it. Whoever finds the key blocked asks the store.
    if (this.#isOrdered(work)) work.lane.blocked.add(work.key!);
    if (held !== undefined) await this.#store.transaction((transaction) => transaction.held.postpone(held, failed));
    else await this.#write(work, [(transaction) => transaction.held.put({ ...this.#heldOf(work, "retry"), ...failed })]);
    this.#options.onHeld(dueAt);
  }

  /** Parks a message behind its key, if the key is still blocked; whether it did. */
  async park(work: Work): Promise<boolean> {
    const key = work.key!;
    const { destination, colocated } = this.#options;
    // A crash between the commit that held it and its ack hands it over again: it must not wait behind itself.
    if ((await this.#store.held.get(heldIdOf(work))) !== undefined) {
      await this.settle(work);
      return true;
    }
    const isParked = await this.#store.transaction(async (transaction) => {
      if (!(await transaction.held.isBlocked(destination, key))) return false;
      await transaction.held.put(this.#heldOf(work, "parked"));
      await colocated?.settleIn(transaction, work.delivery!);
      return true;
    });
    if (!isParked) work.lane.blocked.delete(key);
    else if (colocated === undefined) await work.delivery!.ack();
    return isParked;
  }

  /** Gives a message up: it goes to a list, byte for byte, and an asker is told. Returns the letter's id. */
  async bury(work: Work, list: DeadLetterList, failure: Failure): Promise<string> {
    const { runtime } = this.#options;
    const { envelope, definition } = work.ready;
    const id = runtime.ids.next();
    if (runtime.store === undefined) return this.#toBroker(work.delivery!, list, failure, { id, envelope, attempts: work.failures });
    const letter = deadLetterOf({
      id,
      service: runtime.service,
      list,
      found: { envelope, headers: work.found.headers, body: work.found.body },
      contract: definition.contract.name,
      deadLetterId: work.held?.deadLetterId,
      destination: this.#options.destination,
      lane: work.lane.lane.number,
      key: orderingKeyOf(work),
      isOrdered: this.#isOrdered(work) && list === "failed",
      failure,
      attempts: work.failures,
      at: runtime.clock.now(),
      redrives: work.held?.redrives ?? 0,
    });
    await this.#write(work, [
      (transaction) => this.addLetter(transaction, letter),
      (transaction) => enlist(runtime, transaction, failedReply(runtime, envelope, failure)),
    ]);
    if (letter.isOrdered) work.lane.blocked.add(letter.key!);
    return id;
  }

  /** Gives up a message that never became work: it cannot be read, expired, or has no handler here. Returns the letter's id. */
  async buryFound(delivery: Delivery, list: DeadLetterList, failure: Failure, envelope: Envelope | undefined): Promise<string> {
    const { runtime, colocated } = this.#options;
    const id = runtime.ids.next();
    if (runtime.store === undefined) return this.#toBroker(delivery, list, failure, { id, envelope, attempts: 0 });
    const letter = this.#letterOfFound(delivery, list, failure, { id, envelope, attempts: 0 });
    const reply = envelope === undefined || list === "expired" ? [] : failedReply(runtime, envelope, failure);
    await this.#store.transaction((transaction) =>
      inOrder([
        () => this.addLetter(transaction, letter),
        () => enlist(runtime, transaction, reply),
        () => colocated?.settleIn(transaction, delivery),
      ]),
    );
    if (colocated === undefined) await delivery.ack();
    return id;
  }

  /** Writes a letter, and its copy for the broker where the app wants one: neither without the other. */
  addLetter(transaction: StoreTransaction, letter: DeadLetter): MaybePromise<void> {
    const copies = this.#options.copier.of(letter);
    return inOrder([
      () => transaction.deadLetters.add(letter),
      () => (copies.length === 0 ? undefined : transaction.outbox.append(copies)),
    ]);
  }

  /** The letter of a held message that no handler of this service reads any more. */
  letterOfHeld(held: HeldMessage, list: DeadLetterList, failure: Failure): DeadLetter {
    const { service, ids, clock } = this.#options.runtime;
    const { destination, lane, key, isOrdered, failures, redrives, deadLetterId } = held;
    return deadLetterOf({
      id: ids.next(),
      service,
      list,
      found: held,
      destination,
      lane,
      key,
      isOrdered,
      failure,
      attempts: failures,
      at: clock.now(),
      redrives,
      deadLetterId,
    });
  }

  /** How many are parked behind a message's key. */
  parkedCount(key: string): Promise<number> {
    return this.#store.transaction((transaction) => transaction.held.parkedCount(this.#options.destination, key));
  }

  #letterOfFound(delivery: Delivery, list: DeadLetterList, failure: Failure, { id, envelope, attempts }: FoundLetter): DeadLetter {
    const { runtime, destination } = this.#options;
    const known = envelope ?? delivery.envelope;
    return deadLetterOf({
      id,
      service: runtime.service,
      list,
      found: { envelope: known, headers: delivery.headers, body: delivery.body },
      contract: known?.type ?? "",
      destination,
      lane: delivery.lane.number,
      key: known?.partitionkey,
      isOrdered: false,
      failure,
      attempts,
      at: runtime.clock.now(),
      redrives: 0,
    });
  }

  /** Without a store the broker keeps what was given up. The ack follows its confirm: the other way round a crash would lose the message. */
  async #toBroker(delivery: Delivery, list: DeadLetterList, failure: Failure, letter: FoundLetter): Promise<string> {
    const { runtime, destination, copier } = this.#options;
    const { attempts } = letter;
    if (!(await copier.send(this.#letterOfFound(delivery, list, failure, letter), runtime.sendDeadlineMs)))
      await writeBrokerLetter(runtime, { found: delivery, list, failure, attempts, destination, position: delivery.position });
    const asked = letter.envelope?.replyto === undefined || list === "expired" ? [] : failedReply(runtime, letter.envelope, failure);
    if (asked.length > 0) await runtime.transportOf("command").send(asked, { deadlineMs: runtime.sendDeadlineMs });
    await delivery.ack();
    return letter.id;
  }

  get #store(): NonNullable<Runtime["store"]> {
    return this.#options.runtime.store!;
  }

  async #write(work: Work, steps: readonly ((transaction: StoreTransaction) => MaybePromise<unknown>)[]): Promise<void> {
    const settle = this.settlingOf(work);
    await this.#store.transaction((transaction) => inOrder([...steps.map((step) => () => step(transaction)), () => settle?.(transaction)]));
    if (work.held === undefined && this.#options.colocated === undefined) await work.delivery!.ack();
  }

  /** A held message is done: it goes, and the next one of its key is let out of the parking. */
  async #completeHeld(transaction: StoreTransaction, work: Work): Promise<void> {
    const { destination } = this.#options;
    await transaction.held.complete(work.held!);
    const key = orderingKeyOf(work);
    // What waits behind it was parked by the contract of that time, which may have been ordered, or by another key.
    if (key === undefined || !(work.held!.isOrdered || this.#isOrdered(work))) return;
    if (await transaction.held.releaseNext(destination, key)) this.#options.onHeld(this.#options.runtime.clock.now());
    else if (!(await transaction.held.isBlocked(destination, key, work.held!.id))) work.unblocksKey = true;
  }

  #isOrdered(work: Work): boolean {
    return work.ready.definition.contract.ordered && work.key !== undefined;
  }

  #heldOf(work: Work, purpose: "retry" | "parked"): HeldMessage {
    const { envelope } = work.ready;
    return {
      id: heldIdOf(work),
      purpose,
      dueAt: undefined,
      destination: this.#options.destination,
      lane: work.lane.lane.number,
      key: work.key,
      isOrdered: this.#isOrdered(work),
      envelope,
      headers: work.found.headers,
      body: work.found.body,
      failures: work.failures,
      firstFailedAt: work.firstFailedAt,
      deadLetterId: undefined,
      redrives: 0,
    };
  }
}

/** Whether an error says that this process no longer owns what it worked on. */
export function isLeaseLost(error: unknown): boolean {
  return isPostriderError(error, "PR_LEASE_LOST");
}

/** The key that others wait behind: of a held message the one it was held with, for the contract's key may have changed since. */
function orderingKeyOf({ held, key }: Work): string | undefined {
  return held?.isOrdered === true ? held.key : key;
}

/** A message is held once for each handler. */
function heldIdOf({ ready }: Work): string {
  return `${ready.envelope.id}/${ready.definition.contract.name}`;
}
