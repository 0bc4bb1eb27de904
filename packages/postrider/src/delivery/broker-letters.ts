import { derivedId } from "../base/ids.ts";
import type { Envelope, FoundMessage, Outgoing } from "../envelope/envelope.ts";
import { failureHeaders } from "../envelope/failure-headers.ts";
import { isoTime } from "../envelope/iso-time.ts";
import type { DeadLetterList } from "../ports/dead-letters.ts";
import type { Failure } from "./policy.ts";
import type { Runtime } from "./runtime.ts";

/** Where a service without a store puts what it gives up: a destination of the broker, for people to look at. */
export function brokerLettersOf(service: string): string {
  return `${service}.dead-letters`;
}

/** A message given up, as it is written to the broker: byte for byte, with its cause in headers. */
export interface BrokerLetter {
  readonly found: FoundMessage;
  readonly list: DeadLetterList;
  readonly failure: Failure;
  readonly attempts: number;
  /** Where it was read. */
  readonly destination: string;
  /** Its place there, for what has no id. */
  readonly position: number;
}

/** Writes a letter to the service's dead-letter destination; resolves once the broker has it. */
export async function writeBrokerLetter(runtime: Runtime, letter: BrokerLetter): Promise<void> {
  const { service, clock, sendDeadlineMs } = runtime;
  const headers = {
    ...letter.found.headers,
    ...failureHeaders({ ...letter, ...letter.failure, service, at: clock.now() }),
  };
  const outgoing: Outgoing = {
    destination: brokerLettersOf(service),
    envelope: letter.found.envelope ?? unreadableEnvelope(runtime, letter),
    headers,
    body: letter.found.body,
    mayRepeat: true,
  };
  const [failed] = await runtime.transportOf("command").send([outgoing], { deadlineMs: sendDeadlineMs });
  if (failed !== undefined) throw failed;
}

function unreadableEnvelope({ service, clock }: Runtime, { destination, position }: BrokerLetter): Envelope {
  const id = derivedId("unreadable", service, destination, position);
  return {
    id,
    source: `/${service}`,
    type: "postrider.unreadable",
    kind: "event",
    contractversion: 1,
    time: isoTime(clock.now()),
    datacontenttype: "application/octet-stream",
  };
}
