// Stands before a text that PostgreSQL could not hold as it is: of the private use area, and no text of ours begins with it.
const ESCAPE = "\uf8ff";

/** A text as a column of type `text` can hold it: NUL and lone surrogates, which PostgreSQL refuses, are escaped, so that no foreign id or error text fails a transaction. */
export function toText(value: string): string {
  return value.includes("\u0000") || value.startsWith(ESCAPE) || !value.isWellFormed() ? ESCAPE + JSON.stringify(value) : value;
}

/** See {@link toText}. */
export function fromText(column: unknown): string {
  const value = column as string;
  return value.startsWith(ESCAPE) ? (JSON.parse(value.slice(ESCAPE.length)) as string) : value;
}

/** See {@link toText}; for what may be absent. */
export function toTextOrNull(value: string | undefined): string | null {
  return value === undefined ? null : toText(value);
}

/** See {@link fromText}; for what may be absent. */
export function fromTextOrNull(column: unknown): string | undefined {
  return column === null ? undefined : fromText(column);
}
