import type { MaybePromise } from "../base/deferred.ts";

/** What the inbox knows of a message: it is new, done before with the same body, or its id was used for another body. */
export type InboxVerdict = "first" | "repeated" | "conflicting";

/** What the inbox keeps of a completed message. */
export interface InboxEntry {
  /** The contract that was handled: each handler of a service remembers for itself. */
  readonly handler: string;
  readonly messageId: string;
  /** Hash of the body, to tell a repeated message from a reused id. */
  readonly bodyHash: string;
}

/** Inbox inside a transaction. */
export interface InboxWriter {
  /** Remembers a message as completed by this commit; says if it was before. Waits for a rival that is about to commit the same. */
  record(entry: InboxEntry): MaybePromise<InboxVerdict>;
}

/** Inbox outside a transaction. */
export interface InboxReader {
  /** Whether an answer takes a while, and those that are asked for together come together: then messages that wait are asked for ahead of their turn. */
  readonly isShared?: boolean;
  /** What is known of a message now. */
  check(entry: InboxEntry): MaybePromise<InboxVerdict>;
  count(): Promise<number>;
}
