/** How far long work has come, by message. Outside any transaction; the last report wins. */
export interface ProgressBoard {
  /** Reports 0 … 100 and a word on it; need not be durable when it resolves. */
  report(messageId: string, progress: ProgressReport): Promise<void>;
  get(messageId: string): Promise<ProgressReport | undefined>;
}

/** A report on work under way. */
export interface ProgressReport {
  /** 0 … 100. */
  readonly percent: number;
  readonly note?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}
