import { isPermanent } from "../base/permanent.ts";
import type { PostriderError } from "../base/errors.ts";
import type { OutboxRow } from "../ports/outbox.ts";
import type { SendOutcome } from "../ports/transport.ts";

/** What becomes of the rows of one send. */
export interface Judged {
  /** On the transport, confirmed. */
  readonly done: readonly OutboxRow[];
  /** To be sent again, together with what stands behind them: by how often the row that failed had been given back before. */
  readonly again: ReadonlyMap<number, readonly OutboxRow[]>;
  /** Can never be sent. */
  readonly poison: readonly { readonly row: OutboxRow; readonly error: PostriderError }[];
}

/**
 * Decides what becomes of rows after a send: pure.
 *
 * Rows of one key that stand behind a failed one go back too, even if they were confirmed: who only keeps the last one that it reads then
 * ends with the right one. Rows without a key, and rows behind a poison one, wait for nobody.
 */
export function judge(rows: readonly OutboxRow[], outcomes: readonly SendOutcome[]): Judged {
  if (outcomes.every((outcome) => outcome === undefined)) return { done: rows, again: new Map(), poison: [] };
  const done: OutboxRow[] = [];
  const again = new Map<number, OutboxRow[]>();
  const poison: { row: OutboxRow; error: PostriderError }[] = [];
  const failedKeys = new Map<string, number>();
  for (const [index, row] of rows.entries()) {
    const outcome = outcomes[index];
    const key = keyOf(row);
    const failedAttempts = key === undefined ? undefined : failedKeys.get(key);
    if (outcome !== undefined && isPermanent(outcome)) poison.push({ row, error: outcome });
    else if (outcome === undefined && failedAttempts === undefined) done.push(row);
    else {
      const attempts = failedAttempts ?? row.attempts;
      if (key !== undefined) failedKeys.set(key, attempts);
      const group = again.get(attempts);
      if (group === undefined) again.set(attempts, [row]);
      else group.push(row);
    }
  }
  return { done, again, poison };
}

function keyOf({ message }: OutboxRow): string | undefined {
  const { partitionkey } = message.envelope;
  return partitionkey === undefined ? undefined : `${message.destination}\u0000${partitionkey}`;
}
