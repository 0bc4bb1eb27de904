/** A mail to one recipient. */
export interface Mail {
  /** A customer's id, or `shopkeeper`. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mails. The key is stable: a mailer that remembers keys sends each mail once. */
export interface Mailer {
  send(mail: Mail, key: string, signal: AbortSignal): Promise<void>;
}
