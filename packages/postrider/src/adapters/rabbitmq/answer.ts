import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";

// Longer than a busy broker takes; right after its start a broker may never answer what concerns a queue that has no leader yet.
const ANSWER_LIMIT_MS = 4000;

/** The broker said nothing: it is busy beyond measure, or what it was asked about is dead. */
export class Unanswered extends Error {}

/**
 * The broker's answer, or a rejection when it does not come in time: the client itself waits for ever.
 * @throws PR_TRANSPORT_FAILED
 */
export async function answerOf<Answer>(clock: Clock, during: string, asked: Promise<Answer>): Promise<Answer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cause = new Unanswered(`the broker did not answer within ${ANSWER_LIMIT_MS} ms`);
  const giveUp = (): void => reject(fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during, detail: cause.message }, { cause }));
  const timer = clock.after(ANSWER_LIMIT_MS, giveUp, { keepAlive: true });
  try {
    return await Promise.race([asked, late]);
  } finally {
    timer.cancel();
  }
}
