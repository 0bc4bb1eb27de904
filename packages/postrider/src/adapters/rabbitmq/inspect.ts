import { fail } from "../../base/errors.ts";
import type { Destination, DestinationStatus, Subscription } from "../../ports/transport.ts";
import { answerOf } from "./answer.ts";
import { closeChannel } from "./close-channel.ts";
import type { Link } from "./link.ts";
import { baseOf, highQueue, laneQueue, subscriptionBase } from "./names.ts";
import type { AmqpChannel } from "./vendor.ts";
import { replyCode, vendorText } from "./vendor.ts";

/** Whether a queue is there. @throws PR_TRANSPORT_FAILED */
export async function queueExists(link: Link, queue: string): Promise<boolean> {
  const channel = await link.channel();
  try {
    await answerOf(link.clock, "consume", channel.checkQueue(queue));
    return true;
  } catch (cause) {
    if (replyCode(cause) === 404) return false;
    throw fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during: "consume", detail: vendorText(cause) }, { cause });
  } finally {
    void closeChannel(link.clock, channel);
  }
}

/** How many of these queues have messages and no consumer. One that does not answer counts: its leader is gone, and nobody can read it. */
export async function countUnread(link: Link, queues: readonly string[]): Promise<number> {
  let unread = 0;
  for (const queue of queues) {
    const channel = await link.channel();
    try {
      const { messageCount, consumerCount } = await answerOf(link.clock, "inspect", channel.checkQueue(queue));
      if (messageCount > 0 && consumerCount === 0) unread++;
    } catch {
      if (link.isOpen) unread++;
    } finally {
      void closeChannel(link.clock, channel);
    }
  }
  return unread;
}

/** How the destinations and subscriptions that a transport knows stand: messages that no consumer has been given. */
export async function destinationStatuses(
  link: Link,
  destinations: readonly Destination[],
  subscriptions: readonly Subscription[],
): Promise<readonly DestinationStatus[]> {
  const channel = await link.channel();
  try {
    const statuses: DestinationStatus[] = [];
    for (const destination of destinations.filter(({ isExternal }) => !isExternal)) {
      const readers: { service: string; backlog: number }[] = [];
      for (const subscription of subscriptions.filter((one) => one.destination.name === destination.name))
        readers.push({
          service: subscription.service,
          backlog: await depth(link, channel, subscriptionBase(subscription), destination.lanes),
        });
      const isKept = destination.kind === "commands" && readers.length === 0;
      const messages = isKept
        ? await depth(link, channel, baseOf(destination, ""), destination.lanes)
        : Math.max(0, ...readers.map(({ backlog }) => backlog));
      statuses.push({ destination: destination.name, messages, subscriptions: readers });
    }
    return statuses;
  } catch (cause) {
    throw fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during: "inspect", detail: vendorText(cause) }, { cause });
  } finally {
    void closeChannel(link.clock, channel);
  }
}

async function depth(link: Link, channel: AmqpChannel, base: string, lanes: number): Promise<number> {
  let sum = 0;
  for (let lane = 0; lane < lanes; lane++) {
    const asked = [channel.checkQueue(laneQueue(base, lane)), channel.checkQueue(highQueue(base, lane))] as const;
    const [normal, high] = await answerOf(link.clock, "inspect", Promise.all(asked));
    // Without a consumer the lane's baton lies among the messages.
    sum += normal.messageCount + Math.max(0, high.messageCount - (high.consumerCount === 0 ? 1 : 0));
  }
  return sum;
}
