/** What can be wrong with a history. */
export type FaultKind =
  /** A send was acknowledged and has no effect. */
  | "lost"
  /** An effect of what nobody sent, or of what was refused. */
  | "phantom"
  | "duplicated"
  /** First effects of a key came in another order than its sends. */
  | "reordered"
  /** A row without its message's effect, or the other way round. */
  | "torn"
  | "early"
  /** Done outside again by a run that asked after the result was recorded, or under another key, or with another result. */
  | "repeated outside"
  /** One position of a log had two messages. */
  | "diverged"
  /** A lane was handed over backwards. */
  | "backwards"
  /** Two processes had a lane under one epoch. */
  | "two owners"
  /** A message of the log was never handed to a reader. */
  | "unseen"
  /** A process itself noticed what must not be. */
  | "wrong"
  /** Not everything had ended when the run was over. */
  | "unsettled";

/** One thing that is wrong with a history. */
export interface Fault {
  readonly kind: FaultKind;
  readonly what: string;
}

/** Faults as lines, each beginning with its kind; nothing for none. */
export function faultLines(faults: readonly Fault[]): string {
  const lines = faults.slice(0, MOST_LINES).map(({ kind, what }) => `${kind}: ${what}`);
  return [...lines, ...(faults.length > MOST_LINES ? [`… ${faults.length - MOST_LINES} more`] : [])].join("\n");
}

const MOST_LINES = 30;
