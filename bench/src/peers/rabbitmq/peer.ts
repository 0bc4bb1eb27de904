/** Writes orders, each confirmed by the broker. */
export interface Writer extends AsyncDisposable {
  readonly send: (n: number) => Promise<unknown>;
}

/** What is compared: one way to write orders to RabbitMQ and to read them, each acknowledged after it was handled. */
export interface RabbitPeer {
  /** Makes what is needed on the broker, queues for readers too, and opens a writer. */
  readonly openWriter: (url: string) => Promise<Writer>;
  /** Opens a reader of the same queues. */
  readonly openReader: (url: string, onHandled: (n: number) => void) => Promise<AsyncDisposable>;
}

/** What a message is: an event goes through a topic exchange, a command through a direct one. */
export type MessageKind = "event" | "command";

/** Unsettled messages that a reader may have: the default of Postrider, and everybody's where it is not said otherwise. */
export const PREFETCH = 1000;
