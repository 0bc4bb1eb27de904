import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import type { Destination } from "../../ports/transport.ts";
import { REPLY_ADDRESS, REPLY_PREFIX, eventRoute, laneRoute } from "./names.ts";
import type { Publish } from "./publish-backlog.ts";
import { contentOf, laneOfMessage, publishOptionsOf } from "./wire.ts";

const HIGH = 5; // in queues of somebody else's: above the default of classic ones with priorities, and the least that is high for quorum queues (RabbitMQ 4)

/** What of somebody else's stands for a destination. */
export interface ExistingPlace {
  /** The queue that is read; without an exchange also the one that is written to. Classic, quorum or any other that can be consumed. */
  readonly queue?: string;
  /** The exchange that is written to. */
  readonly exchange?: string;
  /** By what key. Default the contract's name. */
  readonly routingKey?: string;
}

/** Where messages can go. */
export interface Places {
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly existing: ReadonlyMap<string, ExistingPlace>;
}

/** A message as it is published: where to, by which key, and whether some queue must want it. Why not, if it cannot be. */
export function publishOf(message: Outgoing, places: Places, maxBodyBytes: number): Publish | PostriderError {
  const { envelope, body, destination: name } = message;
  const content = contentOf(body);
  if (content.length > maxBodyBytes)
    return fail("PR_BODY_TOO_LARGE", { contract: envelope.type, bytes: content.length, limit: maxBodyBytes });
  const shared = { content, contract: envelope.type, destination: name };
  if (name.startsWith(REPLY_ADDRESS)) {
    // Nobody may be there any more: then nobody is to be told.
    return { ...shared, exchange: "", routingKey: name.slice(REPLY_PREFIX.length), options: publishOptionsOf(message) };
  }
  const place = places.existing.get(name);
  if (place !== undefined) return { ...shared, ...existingRoute(message, place) };
  const destination = places.destinations.get(name);
  if (destination === undefined) return fail("PR_DESTINATION_UNKNOWN", { transport: "rabbitmq", destination: name });
  const lane = laneOfMessage(message, destination.lanes);
  const isHigh = envelope.priority === "high";
  const isEvent = destination.kind === "events";
  const routingKey = isEvent ? eventRoute(envelope.type, lane, isHigh) : laneRoute(lane, isHigh);
  // Some queue must want a command; an event may have no reader.
  return { ...shared, exchange: name, routingKey, options: publishOptionsOf(message, { mandatory: !isEvent }) };
}

/** Without an exchange of theirs straight into their queue. Some queue must want it: what is not ours is not known to have readers. */
function existingRoute(
  message: Outgoing,
  { queue, exchange, routingKey }: ExistingPlace,
): Pick<Publish, "exchange" | "routingKey" | "options"> {
  const options = { ...publishOptionsOf(message, { mandatory: true }), ...(message.envelope.priority === "high" && { priority: HIGH }) };
  if (exchange === undefined) return { exchange: "", routingKey: queue ?? message.destination, options };
  return { exchange, routingKey: routingKey ?? message.envelope.type, options };
}
