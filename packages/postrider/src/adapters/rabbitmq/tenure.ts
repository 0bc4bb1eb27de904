import type { Timer } from "../../base/clock.ts";
import type { Lane } from "../../ports/transport.ts";
import { AckBook } from "./ack-book.ts";
import { answerOf } from "./answer.ts";
import { closeChannel } from "./close-channel.ts";
import { RabbitDelivery } from "./delivery.ts";
import type { Arrival, DeliveryOwner } from "./delivery.ts";
import { Cancelled, ackChannel, laneFailure } from "./lane-channel.ts";
import { LaneFlow } from "./lane-flow.ts";
import { LaneLoad } from "./lane-load.ts";
import type { Link } from "./link.ts";
import { BATON_HEADER } from "./names.ts";
import type { TenureEnd, TenureHost } from "./tenure-host.ts";
import type { AmqpChannel, AmqpMessage } from "./vendor.ts";
import { readMessage } from "./wire.ts";

const MIN_HIGH_PREFETCH = 32; // what is urgent must be here to be handed over first

interface Baton {
  readonly tag: number;
  readonly epoch: number;
}

/**
 * One time of waiting for a lane, owning it and letting it go.
 *
 * A lane has two queues with a single active consumer each. In the *high* queue lies, besides messages of high priority, the lane's baton: whom the broker makes
 * the active consumer gets it, keeps it unsettled, and so learns that the lane is his. Only he then reads the lane's other queue. When his process or connection
 * dies, the broker hands the baton to the next in line, at once, and with it everything that he had not settled, in its order.
 *
 * States: *waiting* (in line) → *taking* (has the baton; opens the other queue, asks the sink) → *owned* (hands over) → *leaving* (hands over nothing; lets what
 * runs end) → *ended*. Lost channels lead from any state to *ended*.
 */
export class Tenure implements DeliveryOwner {
  readonly number: number;
  readonly #host: TenureHost;
  readonly #load = new LaneLoad();
  readonly #flow: LaneFlow;
  #state: "waiting" | "taking" | "owned" | "leaving" | "ended" = "waiting";
  #control: AmqpChannel | undefined;
  #data: AmqpChannel | undefined;
  /** The data channel before that. */
  #retired: AmqpChannel | undefined;
  #acks: AckBook | undefined;
  #baton: Baton | undefined;
  #lane: Lane | undefined;
  #arriving: Promise<boolean> | undefined;

  constructor(host: TenureHost, number: number) {
    this.#host = host;
    this.number = number;
    const { clock, lanePrefetch, laneBytes } = host;
    this.#flow = new LaneFlow({ clock, queue: host.normalQueue(number), maxCount: lanePrefetch, maxBytes: laneBytes });
  }

  /** The lane, while it is ours to hand over from. */
  get lane(): Lane | undefined {
    return this.#state === "owned" ? this.#lane : undefined;
  }

  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  /** Whether it has the lane, or is about to. */
  get holds(): boolean {
    return this.#state === "taking" || this.#state === "owned";
  }

  get epoch(): number {
    return this.#baton?.epoch ?? 0;
  }

  /** What came from the broker and is not settled. */
  get unsettled(): number {
    return this.#load.count;
  }

  /** Gets in line. */
  async start(): Promise<void> {
    const { link, clock, lanePrefetch } = this.#host;
    const queue = this.#host.highQueue(this.number);
    if (queue === undefined) return this.#takeLane(undefined, Math.floor(clock.now()));
    try {
      const control = await this.#channel(link);
      if (control === undefined) return;
      this.#control = control;
      await control.prefetch(Math.max(lanePrefetch, MIN_HIGH_PREFETCH) + 1);
      const consuming = control.consume(queue, (message) => this.#onControl(control, message));
      await answerOf(clock, "getting in line for a lane", consuming);
    } catch (error) {
      this.#lost(error);
    }
  }

  /** The next message to hand over. */
  peek(): Arrival | undefined {
    return this.#load.peek();
  }

  /** Hands over the message that {@link peek} showed. */
  take(): RabbitDelivery {
    return new RabbitDelivery(this, this.#lane!, this.#load.take());
  }

  settled(arrival: Arrival): void {
    if (!this.#load.settle(arrival)) return;
    if (!arrival.isHigh) this.#acks?.settle(arrival.tag);
    else this.#ackControl(arrival.tag);
    this.#host.released(1, arrival.found.bytes);
    if (this.#load.count === 0) this.#emptied();
  }

  givenBack(arrival: Arrival): void {
    if (!this.#load.giveBack(arrival)) return;
    this.#host.released(1, arrival.found.bytes);
    this.#host.wake();
  }

  /** Lets the lane go: what runs may end, what is unsettled then goes back to the broker, in its order. */
  async leave(reason: "rebalance" | "closing"): Promise<void> {
    if (this.#state === "leaving" || this.#state === "ended") return;
    this.#state = "leaving";
    await this.#revoke(reason, this.#host.revokeMs);
    if (this.#isEnded) return;
    this.#acks?.flush();
    // The messages first, the baton last: whoever gets it finds everything in place.
    if (this.#data !== undefined) await closeChannel(this.#host.clock, this.#data);
    if (this.#control !== undefined) await closeChannel(this.#host.clock, this.#control);
    this.#end(reason);
  }

  get #isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Goes without a word: its process plays dead. */
  abandon(): void {
    this.#state = "ended";
    this.#acks?.close();
  }

  async #channel(link: Link): Promise<AmqpChannel | undefined> {
    const channel = await link.channel();
    if (this.#isEnded || this.#state === "leaving") {
      void closeChannel(this.#host.clock, channel);
      return undefined;
    }
    let error: unknown;
    channel.on("error", (thrown: Error) => void (error = thrown));
    channel.on("close", () => {
      if (channel !== this.#retired) this.#lost(error);
    });
    return channel;
  }

  #onControl(control: AmqpChannel, message: AmqpMessage | null): void {
    if (message === null) return this.#lost(new Cancelled(this.#host.highQueue(this.number)!));
    const epochText: unknown = message.properties.headers?.[BATON_HEADER];
    if (epochText === undefined) return this.#arrived(message, true);
    const { deliveryTag: tag } = message.fields;
    const redelivered = Number(message.properties.headers?.["x-delivery-count"] ?? 0);
    const baton = { tag, epoch: Number(epochText) + redelivered };
    const before = this.#baton;
    if (before === undefined) {
      this.#baton = baton;
      void this.#takeLane(control, baton.epoch);
    } else {
      // Two: one was made anew. The greater one stays.
      this.#baton = baton.epoch > before.epoch ? baton : before;
      this.#ackControl(baton.epoch > before.epoch ? before.tag : baton.tag);
    }
  }

  async #takeLane(control: AmqpChannel | undefined, epoch: number): Promise<void> {
    const { clock, subscription } = this.#host;
    if (!this.#host.mayTake()) return this.#giveUp("passed");
    this.#state = "taking";
    try {
      await this.#read();
      // A word to and fro: what is of high priority and was there is here now.
      if (control !== undefined) await answerOf(clock, "taking a lane", control.checkQueue(this.#host.highQueue(this.number)!));
    } catch (error) {
      return this.#lost(error);
    }
    if (this.#state !== "taking") return;
    const { service, destination } = subscription;
    const lane: Lane = Object.freeze({ service, destination: destination.name, number: this.number, epoch });
    this.#arriving = this.#assign(lane);
    if (!(await this.#arriving)) return this.#giveUp("refused");
    this.#own();
  }

  /** Reads the lane's other queue. */
  async #read(): Promise<void> {
    const { link, pulse } = this.#host;
    const data = await this.#channel(link);
    if (data === undefined) return;
    this.#data = data;
    const reading = this.#flow.start(data, (message) => this.#onData(data, message));
    this.#acks = new AckBook(ackChannel(data), pulse, this.#flow.prefetch >> 2);
    await reading;
  }

  /** Reads on on another channel. Nothing that was taken is unsettled. */
  async #turn(): Promise<void> {
    const data = this.#data;
    if (data === undefined) return; // it is turning
    this.#retired = data;
    this.#data = undefined;
    this.#acks!.flush();
    this.#acks!.close();
    await closeChannel(this.#host.clock, data);
    if (this.#state === "owned") await this.#read().catch((error: unknown) => this.#lost(error));
  }

  #own(): void {
    if (this.#state !== "taking") return;
    this.#state = "owned";
    this.#host.wake();
  }

  /** Whether the sink takes the lane. */
  async #assign(lane: Lane): Promise<boolean> {
    try {
      await this.#host.sink.onAssigned(lane);
      this.#lane = lane;
      return true;
    } catch {
      return false; // the sink's own way to say no
    }
  }

  #onData(channel: AmqpChannel, message: AmqpMessage | null): void {
    if (channel !== this.#data || (message !== null && this.#flow.isTurning)) return;
    if (message === null) this.#lost(new Cancelled(this.#host.normalQueue(this.number)));
    else this.#arrived(message, false);
  }

  #arrived(message: AmqpMessage, isHigh: boolean): void {
    if (this.#isEnded) return;
    const { deliveryTag: tag, redelivered: wasDelivered } = message.fields;
    const found = readMessage(message);
    this.#load.push({ tag, isHigh, found, wasDelivered });
    if (!isHigh) this.#flow.arrived(found.bytes, this.#load.bytes, wasDelivered);
    if (this.#state === "owned") this.#host.wake();
  }

  #emptied(): void {
    if (this.#state !== "owned" || this.#load.count > 0) return;
    if (this.#flow.emptied()) void this.#turn();
  }

  #ackControl(tag: number): void {
    if (this.#control !== undefined) ackChannel(this.#control).ack(tag, false);
  }

  /** Tells the sink that the lane goes, if it was told that it came; waits for it within the limit. */
  async #revoke(reason: "rebalance" | "lost" | "closing", limitMs: number): Promise<void> {
    await this.#arriving;
    const lane = this.#lane;
    if (lane === undefined) return;
    const { sink, clock } = this.#host;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer: Timer = clock.after(limitMs, resolve, { keepAlive: true });
    Promise.resolve(sink.onRevoked(lane, reason, limitMs)).then(resolve, resolve);
    await promise;
    timer.cancel();
  }

  /** Lets a lane go that nothing was handed over from. */
  async #giveUp(end: "passed" | "refused"): Promise<void> {
    if (this.#state === "leaving" || this.#isEnded) return;
    this.#state = "leaving";
    if (this.#data !== undefined) await closeChannel(this.#host.clock, this.#data);
    if (this.#control !== undefined) await closeChannel(this.#host.clock, this.#control);
    this.#end(end);
  }

  #lost(error: unknown): void {
    if (this.#isEnded || this.#state === "leaving") return; // leaving ends by itself, whoever closes the channels
    this.#end("lost");
    void this.#revoke("lost", 0);
    const failure = laneFailure(this.#host.subscription.destination.name, this.number, error);
    if (failure !== undefined) this.#host.sink.onError(failure);
  }

  #end(end: TenureEnd): void {
    if (this.#isEnded) return;
    this.#state = "ended";
    this.#acks?.close();
    this.#host.released(this.#load.outCount, this.#load.outBytes);
    this.#load.clear();
    for (const channel of [this.#data, this.#control]) if (channel !== undefined) void closeChannel(this.#host.clock, channel);
    this.#host.ended(this.number, end);
  }
}
