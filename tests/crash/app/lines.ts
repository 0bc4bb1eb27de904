/** What a worker says, one JSON line each, on its standard output. */
export type Line =
  /** Its signal handlers are in place; the bus has not started. */
  | { readonly says: "loaded" }
  | { readonly says: "ready" }
  | { readonly says: "sending"; readonly send: SentLine }
  /** The send has resolved. */
  | { readonly says: "sent"; readonly id: string }
  /** It was refused before anything was tried. */
  | { readonly says: "refused"; readonly id: string; readonly reason: string }
  | { readonly says: "begun"; readonly handler: string; readonly id: string; readonly at: number }
  | ({ readonly says: "took" } & TookLine)
  | ({ readonly says: "stored" } & StoredLine)
  /** A dead letter that is left at the end, or was handed back. */
  | {
      readonly says: "deadLetter" | "redriven";
      readonly service: string;
      readonly list: string;
      readonly code: string;
      readonly id: string;
    }
  /** What is left when it ends: everything zero means that nothing is under way. */
  | { readonly says: "left"; readonly left: Readonly<Record<string, number>> }
  | { readonly says: "points"; readonly counts: Readonly<Record<string, number>> }
  | { readonly says: "signalled"; readonly at: number }
  | { readonly says: "produced"; readonly count: number }
  | { readonly says: "wrong"; readonly what: string };

/** A message that is about to be sent. */
export interface SentLine {
  readonly contract: string;
  readonly id: string;
  readonly key: string;
  readonly producer: string;
  readonly n: number;
  readonly fate: string;
  readonly notBefore?: number;
  /** Whether it must come behind those sent before it under its key. */
  readonly isInOrder: boolean;
  /** Whether it has a row of its own, written in the same unit of work. */
  readonly hasRow: boolean;
}

/** A message that was handed over. */
export interface TookLine {
  readonly worker: string;
  readonly service: string;
  readonly destination: string;
  readonly lane: number;
  readonly epoch: number;
  readonly position: number;
  readonly messageId: string;
  readonly isHigh: boolean;
  readonly isRedelivered: boolean;
}

/** A message as the log has it at the end. */
export interface StoredLine {
  readonly destination: string;
  readonly lane: number;
  readonly position: number;
  readonly messageId: string;
}

/** A line of the ledger of what is done outside, by the run of the handler that wrote it. */
export type OutsideLine =
  /** Before `once` is called. */
  | { readonly says: "asks"; readonly id: string; readonly run: string }
  /** Inside it: the effect happens, under an idempotency key. */
  | { readonly says: "did"; readonly id: string; readonly run: string; readonly key: string }
  /** Behind it: the run has the result. */
  | { readonly says: "has"; readonly id: string; readonly run: string; readonly result: string };

/** Takes what a system says. */
export type Say = (line: Line) => void;

/** Says a line on the standard output. A child's pipe takes it before this returns, so a kill right after loses nothing. */
export function sayOut(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Reads a line; undefined where the process died while it wrote it. */
export function parseLine(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
