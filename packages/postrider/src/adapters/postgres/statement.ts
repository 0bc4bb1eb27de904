import type { PgQuery, PgResult } from "./connection.ts";
import { PLAIN_ROWS } from "./log-codec.ts";

/** A statement of our own: its text never changes, so each connection prepares it once. */
export interface Statement {
  readonly text: string;
  readonly name: string;
  /** Whether rows come as lists of texts: see `plainRows`. */
  readonly isPlain?: boolean;
}

/** Runs a statement of our own, in a transaction or outside. Errors are wrapped. */
export type Run = (statement: Statement, ...values: readonly unknown[]) => Promise<PgResult>;

const names = new Map<string, string>();

/** Gives a text its name; the same text has one name in the whole process. For texts that are made once, not for each call. */
export function statement(text: string): Statement {
  let name = names.get(text);
  if (name === undefined) {
    name = `postrider_${names.size + 1}`;
    names.set(text, name);
  }
  return { text, name };
}

/** A statement with its values. Without preparing it has no name: behind a pooler that gives each transaction another connection. */
export function bound({ text, name, isPlain }: Statement, values: readonly unknown[], isPrepared: boolean): PgQuery {
  const query = isPrepared ? { text, name, values: [...values] } : { text, values: [...values] };
  return isPlain === true ? { ...query, ...PLAIN_ROWS } : query;
}

/** The database's time, in milliseconds since the epoch: of now, not of the transaction's begin. */
export const NOW_MS = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
