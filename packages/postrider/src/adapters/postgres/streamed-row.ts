import { headersFromColumn, headFromColumn } from "../../envelope/columns.ts";
import type { Outgoing } from "../../envelope/envelope.ts";
import { fromText } from "./column-text.ts";
import type { UnclaimedRow } from "./outbox-claims.ts";
import { keyOf } from "./outbox-queue.ts";
import type { InsertedRow } from "./pgoutput.ts";

/** A row of an outbox, of commands or of events. */
export interface StreamedRow extends UnclaimedRow {
  readonly isEvent: boolean;
}

/** A row of the outbox as the write-ahead log has it, taken out of its message; undefined for one of another service or table. */
export function streamedRow(
  row: InsertedRow,
  { service, schema }: { readonly service: string; readonly schema: string },
): StreamedRow | undefined {
  if (row.table !== "pr_outbox" || row.schema !== schema || row.text("service") !== service) return undefined;
  const message: Outgoing = {
    envelope: headFromColumn(row.text("head"))!,
    headers: headersFromColumn(row.text("headers")),
    body: row.truth("is_text") ? row.textOfBytes("payload") : new Uint8Array(row.bytes("payload")),
    destination: fromText(row.text("aggregatetype")),
    mayRepeat: row.truth("may_repeat"),
  };
  return { sequence: row.whole("sequence"), attempts: 0, isEvent: row.truth("is_event"), message, key: keyOf(message) };
}
