import type { Envelope, Headers, WireBody } from "../../envelope/envelope.ts";

/** A message of a log. */
export interface StoredMessage {
  readonly position: number;
  readonly lane: number;
  readonly isHigh: boolean;
  readonly type: string;
  /** Bytes of envelope, headers and body. */
  readonly bytes: number;
  /** In milliseconds since the epoch, of the database. */
  readonly storedAt: number;
  readonly mayRepeat: boolean;
  readonly envelope: Envelope | undefined;
  readonly headers: Headers;
  readonly body: WireBody;
}
