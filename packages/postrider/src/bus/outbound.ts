import { deferred } from "../base/deferred.ts";
import type { Deferred } from "../base/deferred.ts";
import { listOf } from "../base/list-of.ts";
import { colocatedOf, enlist } from "../delivery/runtime.ts";
import type { Runtime } from "../delivery/runtime.ts";
import type { Outgoing } from "../envelope/envelope.ts";
import type { SendCallOptions, SendOutcome, Transport } from "../ports/transport.ts";

/** Of a class for the reason given at {@link listOf}. */
class Waiting {
  readonly messages: readonly Outgoing[];
  readonly done: Deferred = deferred();

  constructor(messages: readonly Outgoing[]) {
    this.messages = messages;
  }
}

type Write = (batch: readonly Outgoing[], onOutcome: SendCallOptions["onOutcome"]) => Promise<readonly SendOutcome[]>;

/** Sends of one turn of the event loop, merged into one call: concurrent senders share a batch, a lone one waits for nobody. */
class Merger {
  readonly #write: Write;
  #waiting: Waiting[] = [];

  constructor(write: Write) {
    this.#write = write;
  }

  push(messages: readonly Outgoing[]): Promise<void> {
    const waiting = new Waiting(messages);
    if (this.#waiting.push(waiting) === 1) queueMicrotask(() => this.#flush());
    return waiting.done.promise;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = listOf();
    if (waiting.every(({ messages }) => messages.length === 1)) this.#flushSingles(waiting);
    else void this.#flushMany(waiting);
  }

  /** Keeps nothing of the messages while they are under way: what lives until the answer grows old, and costs the collector several times as much. */
  #flushSingles(waiting: readonly Waiting[]): void {
    const dones = waiting.map(({ done }) => done);
    this.#written(
      waiting.map(({ messages }) => messages[0]!),
      dones,
    );
  }

  #written(batch: readonly Outgoing[], dones: readonly Deferred[]): void {
    void this.#write(batch, (at, outcome) => settle(dones[at]!, outcome)).then(
      (outcomes) => outcomes.forEach((outcome, at) => settle(dones[at]!, outcome)),
      (error: unknown) => dones.forEach(({ reject }) => reject(error)),
    );
  }

  async #flushMany(waiting: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.#write(
        waiting.flatMap(({ messages }) => messages),
        undefined,
      );
      let at = 0;
      for (const { messages, done } of waiting) {
        const failed = outcomes.slice(at, (at += messages.length)).find((outcome) => outcome !== undefined);
        settle(done, failed);
      }
    } catch (error) {
      for (const { done } of waiting) done.reject(error);
    }
  }
}

function settle({ resolve, reject }: Deferred, outcome: SendOutcome): void {
  if (outcome === undefined) resolve();
  else reject(outcome);
}

/** Answers a transport that is open and has its topology. @throws PR_TRANSPORT_FAILED while it has not answered yet */
export type Connected = (transport: Transport) => Transport;

/** How a service's messages leave outside a handler: straight into the log where it is in the service's own database; else by way of the outbox, or to the transport at once. */
export class Outbound {
  readonly #runtime: Runtime;
  readonly #connected: Connected;
  readonly #direct = new Map<Transport, Merger>();
  readonly #viaOutbox: Merger;

  constructor(runtime: Runtime, connected: Connected) {
    this.#runtime = runtime;
    this.#connected = connected;
    this.#viaOutbox = new Merger(async (batch) => {
      await runtime.store!.transaction((transaction) => enlist(runtime, transaction, batch));
      return batch.map(() => undefined);
    });
  }

  /** Resolves once the messages are durable: in the log, in the outbox, or, with `isDirect`, on the transport. */
  send(messages: readonly Outgoing[], isDirect: boolean): Promise<void> {
    const transport = this.#runtime.transportOf(messages[0]!.envelope.kind === "event" ? "event" : "command");
    if (!isDirect && this.#runtime.store !== undefined && colocatedOf(this.#runtime, transport) === undefined)
      return this.#viaOutbox.push(messages);
    return this.#mergerOf(transport).push(messages);
  }

  #mergerOf(transport: Transport): Merger {
    const known =
      this.#direct.get(transport) ??
      new Merger(async (batch, onOutcome) =>
        this.#connected(transport).send(batch, { deadlineMs: this.#runtime.sendDeadlineMs, ...(onOutcome && { onOutcome }) }),
      );
    this.#direct.set(transport, known);
    return known;
  }
}
