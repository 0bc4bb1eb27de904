// Stands before a text that a database could not hold as it is: of the private use area, and no text of ours begins with it.
const ESCAPE = "\uf8ff";

/**
 * A text that a database can hold: lone surrogates and what `refused` says are escaped, so that no foreign id or error text fails a transaction.
 *
 * @param refused a character that the database cannot have in a text
 */
export function escapedText(value: string, refused?: string): string {
  const isPlain = !value.startsWith(ESCAPE) && value.isWellFormed() && (refused === undefined || !value.includes(refused));
  return isPlain ? value : ESCAPE + JSON.stringify(value);
}

/** See {@link escapedText}. */
export function unescapedText(value: string): string {
  return value.startsWith(ESCAPE) ? (JSON.parse(value.slice(ESCAPE.length)) as string) : value;
}
