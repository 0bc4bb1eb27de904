import { fail } from "../../base/errors.ts";
import type { Envelope, Headers, Outgoing } from "../../envelope/envelope.ts";
import { failureHeaders } from "../../envelope/failure-headers.ts";
import { isoTime } from "../../envelope/iso-time.ts";
import type { DeadLetter } from "../../ports/dead-letters.ts";
import type { Destination, LetterCopies } from "../../ports/transport.ts";
import { letterAddress } from "./letter-address.ts";
import { copyHeader } from "./letter-record.ts";
import { originIn } from "./origin.ts";
import type { Origin } from "./origin.ts";
import { ORIGIN_HEADER } from "./wire-names.ts";

/** How the copies of dead letters are written. */
export interface LetterCopyOptions {
  /** `dlq`: our headers, to `<topic>.dlq`. `spring`: the headers of Spring's `DeadLetterPublishingRecoverer`, to `<topic>-dlt`. */
  readonly form: "dlq" | "spring";
  /** Another name for a topic's dead letters. */
  readonly topicOf: ((destination: string) => string) | undefined;
  readonly groupOf: (service: string, destination: string) => string;
}

const SUFFIXES = { dlq: ".dlq", spring: "-dlt" } as const;

/** Copies of dead letters, each in a topic beside that which the message was read from, in the partition of the same number. */
export class KafkaLetterCopies implements LetterCopies {
  readonly #options: LetterCopyOptions;

  constructor(options: LetterCopyOptions) {
    this.#options = options;
  }

  /** @throws PR_CONFIG_INVALID for the destination itself: its readers would get what they gave up */
  destinationOf(destination: string): string {
    const { form, topicOf } = this.#options;
    const topic = topicOf === undefined ? destination + SUFFIXES[form] : topicOf(destination);
    if (topic !== destination) return topic;
    throw fail("PR_CONFIG_INVALID", { mistakes: `kafka({ deadLetterTopic }) names ${destination} for the dead letters of ${destination}` });
  }

  copyOf(letter: DeadLetter, kind: Destination["kind"]): Outgoing {
    const origin = originIn(letter.headers);
    const { [ORIGIN_HEADER]: _, ...headers } = letter.headers;
    const why = this.#options.form === "spring" ? this.#springHeaders(letter, origin) : ourHeaders(letter, origin);
    const copy = copyHeader({ partition: origin?.partition ?? letter.lane, isForeign: origin?.isForeign ?? letter.envelope === undefined });
    return {
      destination: letterAddress(this.destinationOf(letter.destination), kind),
      envelope: letter.envelope ?? standIn(letter, kind),
      headers: { ...headers, ...why, ...copy },
      body: letter.body,
      mayRepeat: true,
    };
  }

  /** Where Java has the name of an exception's class, we have the error's code. What is not known any more is left out. */
  #springHeaders(letter: DeadLetter, origin: Origin | undefined): Headers {
    const { code, reason, stack, destination, lane, service } = letter;
    return {
      "kafka_dlt-exception-fqcn": code,
      "kafka_dlt-exception-cause-fqcn": code,
      "kafka_dlt-exception-message": reason,
      "kafka_dlt-exception-stacktrace": stack ?? reason,
      "kafka_dlt-original-topic": destination,
      "kafka_dlt-original-partition": int32(origin?.partition ?? lane),
      ...(origin && {
        "kafka_dlt-original-offset": int64(origin.offset),
        "kafka_dlt-original-timestamp": int64(origin.timestampMs),
        "kafka_dlt-original-timestamp-type": origin.timestampType,
      }),
      "kafka_dlt-original-consumer-group": this.#options.groupOf(service, destination),
    };
  }
}

function ourHeaders(letter: DeadLetter, origin: Origin | undefined): Headers {
  return {
    ...failureHeaders(letter),
    "postrider-failed-partition": String(origin?.partition ?? letter.lane),
    ...(origin && { "postrider-failed-offset": String(origin.offset) }),
  };
}

/** What the outbox knows a message by that has no envelope; it is not written. */
function standIn({ id, service, key, at }: DeadLetter, kind: Destination["kind"]): Envelope {
  return {
    id,
    source: `/${service}`,
    type: "postrider.dead-letter",
    kind: kind === "events" ? "event" : "command",
    contractversion: 1,
    time: isoTime(at),
    ...(key === undefined ? {} : { partitionkey: key }),
  };
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

function int64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value));
  return bytes;
}
