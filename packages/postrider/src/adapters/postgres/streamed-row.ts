import { headersFromColumn, headFromColumn } from "../../envelope/columns.ts";
import { fromText } from "./column-text.ts";
import type { UnclaimedRow } from "./outbox-claims.ts";
import type { Column, DecodedInsert } from "./pgoutput.ts";
import { bodyOf } from "./store-place.ts";

/** A row of the outbox as the write-ahead log has it; undefined for one of another service. */
export function streamedRow({ columns }: DecodedInsert, service: string): (UnclaimedRow & { readonly isEvent: boolean }) | undefined {
  const text = (name: string): string | null => textOf(columns.get(name));
  if (text("service") !== service) return undefined;
  return {
    sequence: wholeOf(columns.get("sequence")),
    attempts: 0,
    isEvent: truthOf(columns.get("is_event")),
    message: {
      envelope: headFromColumn(text("head"))!,
      headers: headersFromColumn(text("headers")),
      body: bodyOf(bytesOf(columns.get("payload")), truthOf(columns.get("is_text"))),
      destination: fromText(text("aggregatetype")),
      mayRepeat: truthOf(columns.get("may_repeat")),
    },
  };
}

function textOf(column: Column): string | null {
  return Buffer.isBuffer(column) ? column.toString("utf8") : (column ?? null);
}

function wholeOf(column: Column): number {
  return Buffer.isBuffer(column) ? Number(column.readBigInt64BE(0)) : Number(column);
}

function truthOf(column: Column): boolean {
  return Buffer.isBuffer(column) ? column[0] === 1 : column === "t";
}

/** Text form: `\x` and hexadecimal digits. */
function bytesOf(column: Column): Buffer {
  return Buffer.isBuffer(column) ? column : Buffer.from((column ?? "\\x").slice(2), "hex");
}
