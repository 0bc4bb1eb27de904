/**
 * What was begun, known before it begins. Durable against the end of the process; not necessarily of the machine.
 *
 * A transport with positions is marked a batch at a time; of one without, only redelivered messages are counted.
 */
export interface Starts {
  /** How far each lane was taken by whoever owned it before. */
  taken(destination: string, lane: number): Promise<number>;
  /** Remembers that everything up to these positions may have begun. */
  markTaken(marks: readonly TakenMark[]): Promise<void>;
  /** Counts one more lone start of a suspect, before it runs. Returns the count. */
  countStart(messageId: string): Promise<number>;
  /** Forgets counts; with the completion, or after it. */
  forget(messageIds: readonly string[]): Promise<void>;
}

/** How far a lane was taken. `position` may also go down, when what was taken is given back unrun. */
export interface TakenMark {
  readonly destination: string;
  readonly lane: number;
  readonly position: number;
}
