import { PostriderError } from "postrider";
import type { Infrastructure } from "postrider";
import type { Store, StoreTransaction } from "../../../packages/postrider/src/ports/store.ts";
import type { Outgoing } from "../../../packages/postrider/src/envelope/envelope.ts";
import type { Colocated, Delivery, SendOutcome, Sink, Transport } from "../../../packages/postrider/src/ports/transport.ts";
import type { CrashPoints } from "./crash-points.ts";
import { intercept, originalOf, onceThere } from "./intercept.ts";
import type { Replacements } from "./intercept.ts";
import type { TookLine } from "./lines.ts";

/** What is done to the infrastructure of a worker. */
export interface InstrumentOptions {
  readonly points: CrashPoints;
  /** The name of the process, for what it took. */
  readonly worker: string;
  /** Called for each message that a transport hands over. */
  readonly onTook?: ((took: TookLine) => void) | undefined;
}

/** Calls inside a transaction, by part of the store. */
const IN_TRANSACTION = {
  inbox: ["record"],
  outbox: ["append"],
  schedule: ["put", "takeDue"],
  held: ["put", "complete", "postpone", "releaseNext"],
  deadLetters: ["add", "remove"],
} as const;

/** Calls outside any transaction, by part of the store. */
const OUTSIDE = {
  starts: ["markTaken", "countStart", "forget"],
  effects: ["begin", "finish"],
  outbox: ["done", "giveBack", "bury"],
} as const;

/** Puts a crash point before and after each call that matters, by wrapping what a bus is given. The library knows nothing of it. */
export function instrument(inner: Infrastructure, options: InstrumentOptions): Infrastructure {
  const wrapped = new Map<Transport, Transport>();
  const transportOf = (transport: Transport): Transport => {
    const known = wrapped.get(transport) ?? transportWith(transport, options);
    wrapped.set(transport, known);
    return known;
  };
  const { store } = inner;
  return {
    commands: transportOf(inner.commands),
    events: transportOf(inner.events),
    store: store === "none" ? store : (service) => storeWith(store(service), options.points),
  };
}

function storeWith(store: Store, points: CrashPoints): Store {
  const transaction: Store["transaction"] = (work) => {
    points.hit("before-begin");
    const inside = (begun: StoreTransaction): ReturnType<typeof work> => {
      points.hit("after-begin");
      return onceThere(work(transactionWith(begun, points)), () => points.hit("before-commit"));
    };
    return onceThere(store.transaction(inside), () => points.hit("after-commit"));
  };
  const { claimDue } = claims(points);
  return intercept(store, {
    methods: { transaction },
    parts: {
      ...pointedParts(OUTSIDE, points),
      held: (held: Store["held"]) => intercept(held, { methods: { claimDue: claimDue(held) } }),
      outbox: (outbox: Store["outbox"]) =>
        intercept(outbox, { methods: { ...pointed(outbox, "outbox", OUTSIDE.outbox, points), claim: claims(points).claim(outbox) } }),
    },
  });
}

/** A claim that finds nothing is no place to crash at. */
function claims(points: CrashPoints): {
  claimDue: (held: Store["held"]) => Store["held"]["claimDue"];
  claim: (outbox: Store["outbox"]) => Store["outbox"]["claim"];
} {
  return {
    claimDue: (held) => async (options) => {
      const claimed = await held.claimDue(options);
      if (claimed.length > 0) points.hit("after-held.claimDue");
      return claimed;
    },
    claim: (outbox) => async (options) => {
      const claimed = await outbox.claim(options);
      if (claimed.length > 0) points.hit("after-outbox.claim");
      return claimed;
    },
  };
}

function transactionWith(transaction: StoreTransaction, points: CrashPoints): StoreTransaction {
  return intercept(transaction, { parts: pointedParts(IN_TRANSACTION, points) });
}

function transportWith(transport: Transport, options: InstrumentOptions): Transport {
  const { points } = options;
  const refused = new Set<string>();
  const send: Transport["send"] = (batch, sending) => {
    points.hit("before-send");
    return onceThere(
      sendSome(transport, batch, sending, (message) => refusalOf(message, refused)),
      () => points.hit("after-send"),
    );
  };
  return intercept(transport, {
    methods: {
      ...pointed(transport, "", ["apply"], points),
      send,
      consume: (subscription: Parameters<Transport["consume"]>[0], sink: Sink) => transport.consume(subscription, sinkWith(sink, options)),
    },
    parts: { colocated: (colocated: Colocated) => colocatedWith(colocated, points) },
  });
}

/** The library hands in what was wrapped here; the adapter must see its own. */
function colocatedWith(colocated: Colocated, points: CrashPoints): Colocated {
  const own: Colocated = {
    shares: (store) => colocated.shares(originalOf(store)),
    enlist: (transaction, batch) => colocated.enlist(originalOf(transaction), batch),
    settleIn: (transaction, delivery) => colocated.settleIn(originalOf(transaction), originalOf(delivery)),
  };
  return intercept(own, { methods: pointed(own, "", ["enlist", "settleIn"], points) });
}

/** Sends what is not refused; the outcomes are in the order of the batch. */
async function sendSome(
  transport: Transport,
  batch: readonly Outgoing[],
  options: Parameters<Transport["send"]>[1],
  refusal: (message: Outgoing) => SendOutcome,
): Promise<readonly SendOutcome[]> {
  const failed = new Map<string, SendOutcome>();
  // What stands behind a failed message of its key fails with it: a transport that confirmed it would have changed the order.
  const refusals = batch.map((message) => {
    const { id, partitionkey = id } = message.envelope;
    const refused = refusal(message) ?? failed.get(partitionkey);
    if (refused?.retryable === true) failed.set(partitionkey, refused);
    return refused;
  });
  const sent = batch.filter((_, at) => refusals[at] === undefined);
  const outcomes = sent.length === 0 ? [] : [...(await transport.send(sent, options))];
  return refusals.map((refused) => refused ?? outcomes.shift());
}

/** A broker that refuses the first sending of some messages, by their header `x-refuse`: as if it were down (`now`), or for good (`forGood`). */
function refusalOf({ envelope, headers, destination }: Outgoing, refused: Set<string>): SendOutcome {
  const mark = headers["x-refuse"];
  if (mark === undefined || refused.has(envelope.id)) return undefined;
  refused.add(envelope.id);
  return mark === "forGood"
    ? new PostriderError("PR_DESTINATION_UNKNOWN", { transport: "the refusing broker", destination })
    : new PostriderError("PR_TRANSPORT_FAILED", { transport: "the refusing broker", during: "send", detail: "it is down" });
}

function sinkWith(sink: Sink, { points, onTook, worker }: InstrumentOptions): Sink {
  return intercept(sink, {
    methods: {
      deliver(lane: Delivery["lane"], batch: readonly Delivery[]): void {
        for (const delivery of batch) onTook?.(tookOf(delivery, worker));
        sink.deliver(
          lane,
          batch.map((delivery) => intercept(delivery, { methods: pointed(delivery, "", ["ack", "giveBack"], points) })),
        );
      },
    },
  });
}

function tookOf({ lane, position, envelope, isRedelivered }: Delivery, worker: string): TookLine {
  const { service, destination, number, epoch } = lane;
  const isHigh = envelope?.priority === "high";
  return { worker, service, destination, lane: number, epoch, position, messageId: envelope?.id ?? "", isHigh, isRedelivered };
}

function pointedParts(parts: Readonly<Record<string, readonly string[]>>, points: CrashPoints): NonNullable<Replacements["parts"]> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, methods]) => [
      name,
      (part: object) => intercept(part, { methods: pointed(part, name, methods, points) }),
    ]),
  );
}

/** The methods of something, each between two crash points. */
function pointed(target: object, part: string, names: readonly string[], points: CrashPoints): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    names.map((name) => {
      const point = part === "" ? name : `${part}.${name}`;
      const method = (target as Readonly<Record<string, (...parameters: unknown[]) => unknown>>)[name]!;
      const between = (...parameters: unknown[]): unknown => {
        points.hit(`before-${point}`);
        return onceThere(method.apply(target, parameters), () => points.hit(`after-${point}`));
      };
      return [name, between];
    }),
  );
}
