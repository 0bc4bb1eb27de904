import type { LogMessage } from "../../lanes/log-delivery.ts";

/** A message of a log, whatever its priority. Its bytes are those of envelope, headers and body. */
export interface StoredMessage extends LogMessage {
  readonly isHigh: boolean;
}
