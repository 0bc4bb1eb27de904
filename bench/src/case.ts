import type { Metrics } from "./measure.ts";

/** What a running case is given. */
export interface CaseContext {
  /** An empty folder of its own, deleted afterwards. */
  readonly folder: string;
  /** How long to measure. */
  readonly seconds: number;
  /** Seconds become tenths, counts become hundredths: to see that it runs, not how fast. */
  readonly isQuick: boolean;
  /** Addresses of the servers that it needs. */
  readonly servers: Readonly<Partial<Record<ServerName, string>>>;
}

/** Servers that peers run on. */
export type ServerName = "redis" | "redisAof" | "postgres" | "kafka" | "rabbitmq";

/** What a case found: figures, and what does not fit in a figure. */
export interface CaseResult {
  readonly metrics: Metrics;
  readonly notes?: readonly string[];
  /** Longer data for the results file: a profile, a series. */
  readonly detail?: unknown;
}

/** One thing that is measured, always in a process of its own. */
export interface Case {
  /** What `--only` knows it by. */
  readonly name: string;
  /** Cases of one group are compared with one another and run interleaved. */
  readonly group: string;
  readonly title: string;
  /** The metric that the table shows first and that ratios are made of; the others follow it. */
  readonly shown: readonly string[];
  /** The case of its group that the others are divided by. */
  readonly baseline?: string;
  readonly server?: ServerName | readonly ServerName[];
  /** Why it cannot run here, besides its server; undefined where it can. */
  readonly missing?: () => string | undefined;
  /** How long it may take, in seconds, before it is killed. Default 180. */
  readonly limitSeconds?: number;
  /** How long it measures; default 5 s. */
  readonly seconds?: number;
  /** Runs only with `--big`. */
  readonly isBig?: boolean;
  /** Starts what is needed, measures, and closes everything. */
  readonly run: (context: CaseContext) => Promise<Metrics | CaseResult>;
}
