/** Something that a person should know. */
export interface Alert {
  readonly kind: "deadLetter" | "outage" | "outageOver" | "stuck" | "stuckOver" | "lanePaused" | "failed";
  readonly service: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
  readonly destination?: string;
  readonly contract?: string;
  readonly code?: string;
  readonly deadLetterId?: string;
}

/** Where alerts go. Neither holds up messages; a failing webhook is logged. */
export interface AlertOptions {
  readonly onAlert?: (alert: Alert) => unknown;
  /** Gets each alert as a JSON POST, one at a time, 5 s each, tried three times. */
  readonly webhook?: string;
  /** The same alert is not repeated within this, in milliseconds. Default 60 000. */
  readonly quietMs?: number;
}

/** Who is told of alerts. */
export interface Alerter {
  /** Passes an alert on; returns at once and never throws. */
  raise(alert: Alert): void;
  /** Lets the webhook have what is waiting, for at most `drainMs` (default 5000); takes nothing more. May be called twice. */
  close(drainMs?: number): Promise<void>;
}
