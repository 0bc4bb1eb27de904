import type { Publish } from "./publish-backlog.ts";
import { PublishFrames } from "./publish-frames.ts";
import type { AmqpConfirmChannel } from "./vendor.ts";

/** What is below a channel, as far as the client shows it. */
interface InnerChannel {
  readonly ch?: number;
  readonly connection?: { readonly frameMax?: number; readonly sendBytes?: (bytes: Buffer) => void };
}

/** Writes publishes. They may wait until {@link PublishWriter.flush}. */
export interface PublishWriter {
  /** @throws RangeError for what cannot be encoded, the client's IllegalOperationError on a closed channel */
  add(publish: Publish): void;
  flush(): void;
}

/**
 * What publishes on a new channel. Nothing else may publish on it; its `ack` and `nack` may be listened to from then on.
 *
 * The client's own `publish` makes the headers the prototype of another object, which the engine then keeps in its slowest form, encodes them by what their
 * values are, and takes each message through two streams: frames of our own go past it, where the client shows what they need.
 */
export function writerOn(channel: AmqpConfirmChannel): PublishWriter {
  const { ch, connection } = channel as unknown as InnerChannel;
  if (ch === undefined || connection?.frameMax === undefined || connection.sendBytes === undefined) {
    const add = ({ exchange, routingKey, content, options }: Publish): void => void channel.publish(exchange, routingKey, content, options);
    return { add, flush: () => undefined };
  }
  channel.removeAllListeners("ack").removeAllListeners("nack"); // it would keep a list of its own of what is not confirmed
  return new PublishFrames(ch, connection.frameMax, (bytes) => connection.sendBytes!(bytes));
}
