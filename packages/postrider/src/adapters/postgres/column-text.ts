import { escapedText, unescapedText } from "../../rows/escaped-text.ts";

/** A text as a column of type `text` can hold it: PostgreSQL refuses NUL. */
export function toText(value: string): string {
  return escapedText(value, "\u0000");
}

/** See {@link toText}. */
export function fromText(column: unknown): string {
  return unescapedText(column as string);
}
