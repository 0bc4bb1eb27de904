// What may hold a question mark that is none of ours, in the order in which it is looked for. Sources: the PostgreSQL manual, 4.1.2 (constants), 4.1.3 (operators), 4.1.5 (comments).
const PARTS = new RegExp(
  [
    String.raw`(?<escaped>\b[eE]'(?:[^'\\]|\\[^]|'')*'?)`, // E'…' with backslashes
    String.raw`(?<quoted>'(?:[^']|'')*'?|"(?:[^"]|"")*"?)`, // '…' and "…"
    String.raw`(?<dollar>(?<![\w$])\$(?<tag>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?(?:\$\k<tag>\$|$))`, // $$…$$ and $tag$…$tag$
    String.raw`(?<line>--[^\n]*)`,
    String.raw`(?<block>/\*)`,
    String.raw`(?<mark>\?)`,
  ].join("|"),
  "g",
);

const MAX_KEPT = 500; // texts; more come only from values written into them

const known = new Map<string, string>();

/**
 * Portable SQL as PostgreSQL takes it: each `?` becomes `$1`, `$2` …, but for those in texts, names, dollar quotes and comments.
 *
 * PostgreSQL's own operators with a question mark (`?`, `?|`, `?&` of jsonb) cannot be told from a placeholder: write
 * `jsonb_exists(a, b)`, `jsonb_exists_any`, `jsonb_exists_all`, or use `tx.raw`.
 */
export function numbered(sql: string): string {
  const found = known.get(sql);
  if (found !== undefined) return found;
  const text = convert(sql);
  if (known.size >= MAX_KEPT) known.clear();
  known.set(sql, text);
  return text;
}

function convert(sql: string): string {
  let count = 0;
  let text = "";
  let from = 0;
  PARTS.lastIndex = 0;
  for (let match = PARTS.exec(sql); match !== null; match = PARTS.exec(sql)) {
    const { mark, block } = match.groups!;
    if (block !== undefined) PARTS.lastIndex = endOfComment(sql, match.index);
    if (mark === undefined) continue;
    text += `${sql.slice(from, match.index)}$${++count}`;
    from = match.index + 1;
  }
  return text + sql.slice(from);
}

/** Comments nest in PostgreSQL. */
function endOfComment(sql: string, start: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at++) {
    const pair = sql.slice(at, at + 2);
    if (pair === "/*") depth++;
    else if (pair === "*/") depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return sql.length;
}
