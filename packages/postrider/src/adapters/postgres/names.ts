import { fail } from "../../base/errors.ts";

const MAX_NAME_BYTES = 63; // NAMEDATALEN - 1: PostgreSQL cuts longer names off without an error, so that two could become one

// Two dollar signs could end the quotes around a function's body.
// eslint-disable-next-line no-control-regex -- PostgreSQL's texts end at a NUL
const UNFIT = /\u0000|\$.*\$/;

/** An identifier as SQL, whatever is in it. @throws PR_CONFIG_INVALID for one that PostgreSQL would cut off or cannot have */
export function quoted(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_NAME_BYTES || UNFIT.test(name))
    throw fail("PR_CONFIG_INVALID", {
      mistakes: `the PostgreSQL name ${JSON.stringify(name)} must have 1 to ${MAX_NAME_BYTES} bytes, no NUL, and no two dollar signs`,
    });
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal, whatever `standard_conforming_strings` says. For statements that take no parameters. */
export function literal(text: string): string {
  const doubled = text.replaceAll("'", "''");
  return doubled.includes("\\") ? ` E'${doubled.replaceAll("\\", "\\\\")}'` : `'${doubled}'`;
}
