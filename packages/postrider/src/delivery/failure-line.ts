import type { Failure } from "./policy.ts";
import type { Runtime } from "./runtime.ts";
import type { Work } from "./work.ts";

/** The log line of a failed run, with the ids that lead to its conversation. `what` says what becomes of the message. */
export function logFailure({ service, logger }: Pick<Runtime, "service" | "logger">, work: Work, failure: Failure, what: string): void {
  const { envelope, definition } = work.ready;
  const fields = {
    service,
    contract: definition.contract.name,
    messageId: envelope.id,
    correlationId: envelope.correlationid,
    causationId: envelope.causationid,
    conversationId: envelope.conversationid,
    code: failure.code,
    failures: work.failures,
  };
  logger.warn(fields, `a message failed and ${what}: ${failure.reason}`);
}
