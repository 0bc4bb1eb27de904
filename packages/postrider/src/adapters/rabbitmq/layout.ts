import type { Destination, Subscription, Topology } from "../../ports/transport.ts";
import {
  DROPPED,
  baseOf,
  eventRoute,
  foreignExchange,
  highQueue,
  laneQueue,
  laneRoute,
  membersQueue,
  subscriptionBase,
  unroutedExchange,
} from "./names.ts";

/** An exchange as it should be. */
export interface ExchangeSpec {
  readonly name: string;
  readonly type: "direct" | "topic" | "fanout";
  /** Where messages go that no queue wants. */
  readonly alternate?: string;
}

/** A queue as it should be. */
export interface QueueSpec {
  readonly name: string;
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
  /** Whether a baton is put into it when it is made. */
  readonly hasBaton: boolean;
}

/** A binding as it should be. */
export interface BindingSpec {
  readonly source: string;
  readonly to: "queue" | "exchange";
  readonly name: string;
  readonly key: string;
}

/** Everything that a destination or a subscription needs on the broker, in the order in which it can be made. */
export interface Layout {
  readonly exchanges: readonly ExchangeSpec[];
  readonly queues: readonly QueueSpec[];
  readonly bindings: readonly BindingSpec[];
}

/** A part of a topology. What it is made of is missing or differs together: `destination` says of whom lanes are the number. */
export interface LayoutPart {
  readonly destination: Destination;
  readonly subscription: Subscription | undefined;
  readonly layout: Layout;
}

// Our own count of attempts is the authority: the broker must not give up before it. RabbitMQ 4 gives up after 20 unless it is told otherwise.
const DELIVERY_LIMIT = 2_000_000_000;
const LANE_QUEUE: QueueSpec["arguments"] = {
  "x-queue-type": "quorum",
  "x-single-active-consumer": true,
  "x-delivery-limit": DELIVERY_LIMIT,
  "x-dead-letter-exchange": DROPPED,
  // With this and reject-publish what is dead-lettered is kept until the other queue has it.
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
};
const MEMBERS_QUEUE: QueueSpec["arguments"] = { "x-queue-type": "classic" };

/** Where quorum queues put what they would else drop. */
export const DROPPED_LAYOUT: Layout = {
  exchanges: [{ name: DROPPED, type: "fanout" }],
  queues: [{ name: DROPPED, arguments: { "x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT }, hasBaton: false }],
  bindings: [{ source: DROPPED, to: "queue", name: DROPPED, key: "" }],
};

/** What a topology needs, destination by destination, then subscription by subscription. External destinations need nothing. */
export function layoutOf(topology: Topology): readonly LayoutPart[] {
  return [
    ...topology.destinations
      .filter(({ isExternal }) => !isExternal)
      .map((destination) => ({ destination, subscription: undefined, layout: destinationLayout(destination) })),
    ...topology.subscriptions
      .filter(({ destination }) => destination.kind === "events")
      .map((subscription) => ({ destination: subscription.destination, subscription, layout: subscriptionLayout(subscription) })),
  ];
}

function destinationLayout(destination: Destination): Layout {
  const { name, kind, lanes } = destination;
  const alternate = unroutedExchange(name, lanes);
  const exchanges: ExchangeSpec[] = [
    { name, type: kind === "commands" ? "direct" : "topic", alternate },
    { name: alternate, type: "fanout" },
  ];
  if (kind === "events") return { exchanges, queues: [], bindings: [] };
  const base = baseOf(destination, "");
  const bindings = laneBindings(name, base, lanes, laneRoute);
  // Who knows nothing of lanes publishes with the destination's name, or nothing, as routing key.
  for (const key of ["", name]) bindings.push({ source: name, to: "queue", name: laneQueue(base, 0), key });
  return { exchanges, queues: queuesOf(base, lanes), bindings };
}

/**
 * Topic exchange of the destination → lane queues: the lane is the end of the routing key, behind the contract's name. What has no lane there is not ours, and
 * goes to lane 0.
 */
function subscriptionLayout(subscription: Subscription): Layout {
  const { destination, types } = subscription;
  const base = subscriptionBase(subscription);
  const queues = queuesOf(base, destination.lanes);
  if (types === undefined) return { ...everythingLayout(destination, base), queues };
  const bindings = types.flatMap((type) => [
    ...laneBindings(destination.name, base, destination.lanes, (lane, isHigh) => eventRoute(type, lane, isHigh)),
    { source: destination.name, to: "queue", name: laneQueue(base, 0), key: type } as const,
  ]);
  return { exchanges: [], queues, bindings };
}

/** Whoever wants everything also wants what has no lane, whatever its routing key is: it takes a second exchange with an alternate one to know that. */
function everythingLayout({ name, lanes }: Destination, base: string): Omit<Layout, "queues"> {
  const foreign = foreignExchange(base);
  return {
    exchanges: [
      { name: base, type: "topic", alternate: foreign },
      { name: foreign, type: "fanout" },
    ],
    bindings: [
      { source: name, to: "exchange", name: base, key: "#" },
      ...laneBindings(base, base, lanes, (lane, isHigh) => eventRoute("#", lane, isHigh)),
      { source: foreign, to: "queue", name: laneQueue(base, 0), key: "" },
    ],
  };
}

function laneBindings(source: string, base: string, lanes: number, keyOf: (lane: number, isHigh: boolean) => string): BindingSpec[] {
  return eachLane(lanes).flatMap((lane): BindingSpec[] => [
    { source, to: "queue", name: laneQueue(base, lane), key: keyOf(lane, false) },
    { source, to: "queue", name: highQueue(base, lane), key: keyOf(lane, true) },
  ]);
}

function queuesOf(base: string, lanes: number): QueueSpec[] {
  return [
    ...eachLane(lanes).flatMap((lane): QueueSpec[] => [
      { name: laneQueue(base, lane), arguments: LANE_QUEUE, hasBaton: false },
      { name: highQueue(base, lane), arguments: LANE_QUEUE, hasBaton: true },
    ]),
    { name: membersQueue(base), arguments: MEMBERS_QUEUE, hasBaton: false },
  ];
}

function eachLane(lanes: number): readonly number[] {
  return Array.from({ length: lanes }, (_, lane) => lane);
}
