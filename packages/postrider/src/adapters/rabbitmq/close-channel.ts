import type { Clock } from "../../base/clock.ts";
import { answerOf } from "./answer.ts";
import type { AmqpChannel } from "./vendor.ts";

/** Closes a channel. Resolves once the broker has said so, the channel has gone some other way, or no answer comes; never rejects. */
export async function closeChannel(clock: Clock, channel: AmqpChannel): Promise<void> {
  const { promise: isClosed, resolve } = Promise.withResolvers<void>();
  // The client answers a close only with the broker's word; if the connection dies first there is only the event.
  channel.once("close", resolve);
  const closing = (async () => channel.close())().catch(() => undefined); // it is closed already
  await answerOf(clock, "closing a channel", Promise.race([closing, isClosed])).catch(() => undefined); // it goes with its connection
}
