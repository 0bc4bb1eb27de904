import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import { Unanswered } from "./answer.ts";
import type { AckChannel } from "./ack-book.ts";
import type { AmqpChannel, AmqpMessage } from "./vendor.ts";
import { replyCode, vendorText } from "./vendor.ts";

/** The broker took a consumer's queue away: it was deleted, or its node went. */
export class Cancelled extends Error {
  constructor(queue: string) {
    super(`the broker cancelled the consumer of ${queue}; if the queue was deleted, apply the topology again`);
  }
}

/** Why a lane was lost, if that is for its reader to know. A lost connection is not: that is reported once, and not for each lane. */
export function laneFailure(destination: string, lane: number, cause: unknown): PostriderError | undefined {
  const isUnanswered = (cause as { readonly cause?: unknown } | undefined)?.cause instanceof Unanswered;
  if (!(cause instanceof Cancelled) && !isUnanswered && replyCode(cause) === undefined) return undefined;
  const during = `reading lane ${lane} of ${destination}`;
  return fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during, detail: vendorText(cause) }, { cause });
}

/** Acknowledging on a channel that is just closing says nothing: its messages come again. */
export function ackChannel(channel: AmqpChannel): AckChannel {
  return {
    ack(tag, isUpTo) {
      try {
        channel.ack({ fields: { deliveryTag: tag } } as AmqpMessage, isUpTo);
      } catch {
        // closed by the broker: its close is about to be told, and the lane is lost with it
      }
    },
  };
}
