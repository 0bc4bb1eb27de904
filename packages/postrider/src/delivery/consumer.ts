import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import type { PostriderError } from "../base/errors.ts";
import { listOf } from "../base/list-of.ts";
import type { Decoded, Decoder } from "../pipeline/decode.ts";
import type { ClaimedHeld } from "../ports/held.ts";
import type { Consumption, ConsumptionStatus, Delivery, Lane, Sink, Subscription, Transport } from "../ports/transport.ts";
import type { Aside } from "./aside.ts";
import { HeldSource } from "./held-source.ts";
import { LaneState, marksOf, placeOf } from "./lane-state.ts";
import type { Parking } from "./parking.ts";
import type { Runtime } from "./runtime.ts";
import type { StartLedger } from "./starts.ts";
import type { WorkFloor } from "./work-floor.ts";
import { Work } from "./work.ts";

const UNMARKED_WAIT_MS = 500; // the store is in trouble: not at once again

/** What a consumer stands on. */
export interface ConsumerOptions {
  readonly runtime: Runtime;
  readonly transport: Transport;
  readonly subscription: Subscription;
  readonly decoder: Decoder;
  readonly starts: StartLedger | undefined;
  readonly floor: WorkFloor;
  readonly aside: Aside;
  readonly parking: Parking;
}

/**
 * Takes what one service reads from one destination: decodes it, marks it as possibly begun, and lets it onto the floor in the order of its lane.
 *
 * Delivery: nothing is settled before its effect is safe. Order: per key, as the lane gives it.
 */
export class Consumer implements Sink {
  readonly #options: ConsumerOptions;
  readonly #lanes = new Map<number, LaneState>();
  /** Lanes that were taken away without an end: what they had in hand is known when they come back. */
  readonly #lost = new Map<number, LaneState | undefined>();
  readonly #heldIn = new Map<string, Work>();
  readonly #heldSource: HeldSource | undefined;
  #consumption: Consumption | undefined;
  #isStopping = false;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { runtime, subscription, transport } = options;
    this.#heldSource =
      runtime.store &&
      new HeldSource({
        held: runtime.store.held,
        destination: subscription.destination.name,
        clock: runtime.clock,
        logger: runtime.logger,
        lanes: () => (transport.capabilities.lanes === "owned" ? [...this.#lanes.keys()] : undefined),
        room: () => subscription.prefetchCount - this.#heldIn.size,
        take: (claimed) => this.#takeHeld(claimed),
      });
    options.floor.onHeld = (dueAt) => this.#heldSource?.wake(dueAt);
    options.floor.onEnded = (work) => this.#ended(work);
    options.parking.pauseLane = (lane, isPaused) => (isPaused ? this.#consumption?.pause(lane) : this.#consumption?.resume(lane));
  }

  get destination(): string {
    return this.#options.subscription.destination.name;
  }

  /** Whether a lane is paused because too much is parked behind one key. */
  get isPaused(): boolean {
    return [...this.#lanes.values()].some((state) => state.isPaused);
  }

  async start(): Promise<void> {
    this.#consumption = await this.#options.transport.consume(this.#options.subscription, this);
    this.#heldSource?.wake();
  }

  async onAssigned(lane: Lane): Promise<void> {
    const { starts, runtime, transport } = this.#options;
    const [marks, blocked] = await Promise.all([
      marksOf(lane, transport.capabilities.positions ? starts : undefined),
      runtime.store?.held.blockedKeys(lane.destination, [lane.number]) ?? [],
    ]);
    this.#lanes.set(lane.number, new LaneState(lane, { marks, blocked, before: this.#lost.get(lane.number) }));
    this.#consumption?.resume(lane); // it may have been paused when it left
    this.#heldSource?.wake();
  }

  async onRevoked(lane: Lane, reason: "rebalance" | "lost" | "closing", deadlineMs: number): Promise<void> {
    const state = this.#lanes.get(lane.number);
    if (state === undefined || state.lane.epoch !== lane.epoch) return;
    this.#lanes.delete(lane.number);
    this.#lost.set(lane.number, reason === "lost" ? state : undefined);
    state.isGone = true;
    await this.#options.floor.leave(state, reason === "lost" ? 0 : deadlineMs);
    if (reason !== "lost") await this.#markUnrun(state);
  }

  deliver(lane: Lane, batch: readonly Delivery[]): void {
    const state = this.#lanes.get(lane.number);
    if (state === undefined || state.lane.epoch !== lane.epoch || this.#isStopping)
      return void batch.forEach((delivery) => this.#giveBack(delivery));
    if (state.intake !== undefined)
      return this.#follow(
        state,
        state.intake.then(() => this.#intake(state, batch)),
      );
    const taking = this.#intake(state, batch);
    if (isPromise(taking)) this.#follow(state, taking);
  }

  onError(error: PostriderError): void {
    const { runtime, subscription } = this.#options;
    runtime.logger.error(
      { err: error, code: error.code, service: runtime.service, destination: subscription.destination.name },
      error.message,
    );
  }

  /** Takes nothing more; gives back what has not begun. */
  async stopTaking(): Promise<void> {
    this.#isStopping = true;
    this.#heldSource?.stop();
    await this.#consumption?.stop();
  }

  /** Lets what runs end within `drainMs`, gives back the rest. */
  async leaveAll(drainMs: number): Promise<void> {
    await Promise.all(
      [...this.#lanes.values()].map(async (state) => {
        // At once, not behind the intake: what waits must not begin while a mark is being written. What still comes in is given back.
        await Promise.all([this.#options.floor.leave(state, drainMs), state.intake]);
        await this.#markUnrun(state);
      }),
    );
  }

  /** Releases the lanes and closes. */
  async close(): Promise<void> {
    await this.#consumption?.close();
  }

  inspect(): Promise<ConsumptionStatus> {
    return this.#consumption?.inspect() ?? Promise.resolve({ lanes: [], backlog: 0, lagSeconds: undefined });
  }

  /** Decodes a batch in order and lets it onto the floor; a promise where a schema answers later, or a mark must be written first. */
  #intake(state: LaneState, batch: readonly Delivery[], from = 0, works: Work[] = listOf()): MaybePromise<void> {
    for (let at = from; at < batch.length; at++) {
      const delivery = batch[at]!;
      const decoded = this.#options.decoder(delivery);
      if (isPromise(decoded)) {
        return decoded.then((late) => {
          this.#sort(state, delivery, late, works);
          return this.#intake(state, batch, at + 1, works);
        });
      }
      this.#sort(state, delivery, decoded, works);
    }
    return this.#admit(state, works);
  }

  #sort(state: LaneState, delivery: Delivery, decoded: Decoded, works: Work[]): void {
    const { aside, floor } = this.#options;
    if (decoded.kind === "ready") works.push(new Work(floor, decoded, state, delivery, undefined));
    else aside.put(delivery, decoded);
  }

  /** Marks works as possibly begun, then lets them onto the floor. */
  #admit(state: LaneState, works: readonly Work[]): MaybePromise<void> {
    if (works.length === 0) return undefined;
    const marking = this.#mark(state, works);
    if (marking === undefined) return this.#enter(state, works);
    return marking.then(
      () => this.#enter(state, works),
      (error: unknown) => this.#unmarked(state, works, error),
    );
  }

  /** What could not be marked must not run. It waits here, and so does what comes behind it: given back it would come again behind that. */
  async #unmarked(state: LaneState, works: readonly Work[], error: unknown): Promise<void> {
    const { runtime, subscription } = this.#options;
    runtime.logger.error(
      { err: error, service: runtime.service, destination: subscription.destination.name },
      "messages could not be marked as taken; they wait until they can",
    );
    for (let isMarked = false; !isMarked;) {
      state.unmark();
      await runtime.clock.sleep(UNMARKED_WAIT_MS);
      if (state.isGone || this.#isStopping) break; // they are given back
      isMarked = await Promise.resolve(this.#mark(state, works)).then(
        () => true,
        () => false,
      );
    }
    this.#enter(state, works);
  }

  #mark(state: LaneState, works: readonly Work[]): Promise<unknown> | undefined {
    const { starts, transport } = this.#options;
    if (starts === undefined) return undefined;
    let normal = 0;
    let high = 0;
    for (const work of works) {
      const { position, isRedelivered } = work.delivery!;
      work.isSuspect = transport.capabilities.positions ? position <= state.suspectsUpTo(work.isHigh) : isRedelivered;
      if (work.isHigh) high = Math.max(high, position);
      else normal = Math.max(normal, position);
    }
    if (!transport.capabilities.positions) return undefined;
    const marks: Promise<void>[] = [];
    for (const [isHigh, position] of [
      [false, normal],
      [true, high],
    ] as const) {
      const upTo = state.raise(isHigh, position);
      if (upTo !== undefined) marks.push(starts.mark(placeOf(state.lane.destination, isHigh), state.lane.number, upTo));
    }
    return marks.length === 0 ? undefined : marks.length === 1 ? marks[0] : Promise.all(marks);
  }

  #enter(state: LaneState, works: readonly Work[]): void {
    for (const work of works) {
      if (state.isGone || this.#isStopping || state.turnsBack(work.key)) this.#giveBack(work.delivery!);
      else this.#options.floor.enter(work);
    }
  }

  /** Later batches of the lane wait until this one is on the floor, whatever of it had to wait: or they would overtake it. */
  #follow(state: LaneState, taking: Promise<void>): void {
    const mine: Promise<void> = taking.catch((error: unknown) => this.#intakeFailed(state, error));
    state.intake = mine;
    void mine.then(() => {
      if (state.intake === mine) state.intake = undefined;
    });
  }

  #intakeFailed(state: LaneState, error: unknown): void {
    const { runtime } = this.#options;
    runtime.logger.error(
      { err: error, service: runtime.service, destination: state.lane.destination, lane: state.lane.number },
      "messages could not be taken; they come again when their lane changes hands, or at the next start",
    );
    runtime.alert({ kind: "failed", service: runtime.service, text: `messages of ${state.lane.destination} could not be taken` });
  }

  #takeHeld(claimed: ClaimedHeld): void {
    const known = this.#heldIn.get(claimed.id);
    if (known !== undefined) return void (known.held = claimed); // ours already: only its fence is new
    const state = this.#lanes.get(claimed.lane) ?? this.#freeLane();
    if (state === undefined) return;
    const decoded = this.#options.decoder({ ...claimed, position: 0, lane: state.lane });
    if (isPromise(decoded)) void decoded.then((later) => this.#enterHeld(state, claimed, later));
    else this.#enterHeld(state, claimed, decoded);
  }

  #enterHeld(state: LaneState, claimed: ClaimedHeld, decoded: Decoded): void {
    const { floor, aside } = this.#options;
    if (decoded.kind !== "ready") return aside.putHeld(claimed, decoded);
    const work = new Work(floor, decoded, state, undefined, claimed);
    work.isSuspect = true; // each run of a held message is counted: it has failed before, or waited behind one that did
    this.#heldIn.set(claimed.id, work);
    floor.enter(work);
  }

  /** Where nobody owns lanes, everything belongs to one that is always there. */
  #freeLane(): LaneState | undefined {
    return this.#options.transport.capabilities.lanes === "none" ? [...this.#lanes.values()][0] : undefined;
  }

  #ended(work: Work): void {
    if (work.held !== undefined) this.#heldIn.delete(work.held.id);
  }

  /** What was taken and not begun is no suspect for whoever comes next. */
  async #markUnrun(state: LaneState): Promise<void> {
    const { starts, transport, floor } = this.#options;
    if (starts === undefined || !transport.capabilities.positions) return;
    const running = floor.runningOf(state);
    const begun = (isHigh: boolean): number =>
      Math.max(
        0,
        ...running.filter((work) => work.isHigh === isHigh && work.delivery !== undefined).map((work) => work.delivery!.position),
      );
    const { destination, number } = state.lane;
    await Promise.all([
      starts.mark(placeOf(destination, false), number, begun(false)),
      starts.mark(placeOf(destination, true), number, begun(true)),
    ]).catch(() => undefined); // at worst they are suspects without cause
  }

  #giveBack(delivery: Delivery): void {
    const given = delivery.giveBack();
    if (isPromise(given))
      given.catch((error: unknown) =>
        this.#options.runtime.logger.warn({ err: error }, "a message could not be given back; it will come again by itself"),
      );
  }
}
