import type { Destination, Subscription } from "../../ports/transport.ts";

/** Where quorum queues put what they would else drop: nothing gets there unless somebody sets a policy or rejects by hand. One for each virtual host. */
export const DROPPED = "postrider.dropped";
/** Before the queue name in the address of a reply inbox. */
export const REPLY_PREFIX = "rabbitmq-reply:";
/** Before what is an instance's own in the name of its reply queue. */
export const REPLY_QUEUE = "postrider.replies.";
/** What every address of a reply inbox begins with: an address comes in a message, and must not lead to any other queue. */
export const REPLY_ADDRESS: string = REPLY_PREFIX + REPLY_QUEUE;
/** On a message whose id may come again. */
export const REPEAT_HEADER = "pr-repeat";
/** Before the name of an attribute that stands in a header, as CloudEvents' AMQP binding wants it. */
export const PREFIX = "cloudEvents:";
/** The header that tells a CloudEvent. */
export const SPEC_HEADER: string = `${PREFIX}specversion`;
/** The one attribute that is no text. */
export const VERSION_HEADER: string = `${PREFIX}contractversion`;
/** Attributes whose headers have the names that W3C gave them. */
export const TRACE_NAMES: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);
/** The content type of messages whose envelope names none. */
export const DEFAULT_TYPE = "application/json";
/** Marks a baton: the message whose holder owns a lane. Its value is the epoch. */
export const BATON_HEADER = "pr-baton";

/** What a subscription's queues are called after: a command destination has one reader, so its queues are the destination's own. */
export function baseOf(destination: Pick<Destination, "name" | "kind">, service: string): string {
  return destination.kind === "commands" ? destination.name : `${destination.name}.${service}`;
}

/** The base of a subscription's queues. */
export function subscriptionBase({ destination, service }: Pick<Subscription, "destination" | "service">): string {
  return baseOf(destination, service);
}

/** The queue of a lane: all that is not of high priority. */
export function laneQueue(base: string, lane: number): string {
  return `${base}.${lane}`;
}

/** The queue of a lane for its baton and for what is of high priority. */
export function highQueue(base: string, lane: number): string {
  return `${base}.${lane}.high`;
}

/** The queue that nobody writes to: its consumers are counted, so that each knows its share of the lanes. */
export function membersQueue(base: string): string {
  return `${base}.members`;
}

/**
 * The alternate exchange of a destination. What no queue wants goes through it; bind a queue to keep that.
 * Its name carries the number of lanes, so that a broker refuses whoever believes in another number.
 */
export function unroutedExchange(destination: string, lanes: number): string {
  return `${destination}.unrouted.${lanes}`;
}

/** The alternate exchange of a subscription to everything: messages without a lane, which are not ours, go to lane 0. */
export function foreignExchange(base: string): string {
  return `${base}.foreign`;
}

/** What routes to a lane: the routing key of commands, and the end of that of events. */
export function laneRoute(lane: number, isHigh: boolean): string {
  return isHigh ? `${lane}.high` : `${lane}`;
}

/** The routing key of an event: `order.placed.3`, or `order.placed.3.high`. Readers who know nothing of lanes bind `order.placed.#`. */
export function eventRoute(type: string, lane: number, isHigh: boolean): string {
  return `${type}.${laneRoute(lane, isHigh)}`;
}
