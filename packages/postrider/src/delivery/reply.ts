import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { fail } from "../base/errors.ts";
import { derivedId } from "../base/ids.ts";
import { validateReply } from "../contracts/read.ts";
import type { BodyReading } from "../contracts/read.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Envelope, Headers, Outgoing } from "../envelope/envelope.ts";
import { bodyText } from "../envelope/outgoing.ts";
import { isoTime } from "../envelope/iso-time.ts";
import type { ReadyMessage } from "../pipeline/decode.ts";
import type { Failure } from "./policy.ts";
import type { Runtime } from "./runtime.ts";

/** The header that tells a failed reply from an answer. */
export const REPLY_STATUS = "postrider-reply";

/** The answer to a requested command: none where nobody asked. */
export function replyTo(runtime: Runtime, ready: ReadyMessage, body: unknown): MaybePromise<readonly Outgoing[]> {
  const { contract } = ready.definition;
  if (contract.reply === undefined) throw fail("PR_REPLY_UNEXPECTED", { contract: contract.name });
  const answer = (reading: BodyReading): readonly Outgoing[] => {
    if (reading.error !== undefined) throw reading.error;
    if (ready.envelope.replyto === undefined) return [];
    return [replyMessage(runtime, ready.envelope, bodyText(contract, contract.version, body, runtime.maxBodyBytes), NO_HEADERS)];
  };
  const reading = validateReply(contract, body);
  return isPromise(reading) ? reading.then(answer) : answer(reading);
}

/** Tells a requester that its command failed for good. */
export function failedReply(runtime: Runtime, envelope: Envelope, failure: Failure): readonly Outgoing[] {
  if (envelope.replyto === undefined) return [];
  return [replyMessage(runtime, envelope, JSON.stringify({ code: failure.code, reason: failure.reason }), { [REPLY_STATUS]: "failed" })];
}

function replyMessage(runtime: Runtime, asked: Envelope, body: string, headers: Headers): Outgoing {
  const envelope: Envelope = {
    id: derivedId(asked.id, runtime.service, "reply"),
    source: `/${runtime.service}`,
    type: asked.type,
    kind: "reply",
    contractversion: asked.contractversion,
    time: isoTime(runtime.clock.now()),
    inreplyto: asked.id,
    causationid: asked.id,
    correlationid: asked.correlationid ?? asked.id,
    conversationid: asked.conversationid ?? asked.id,
    ...(asked.expirytime === undefined ? {} : { expirytime: asked.expirytime }),
  };
  return { destination: asked.replyto!, envelope, headers, body, mayRepeat: false };
}
