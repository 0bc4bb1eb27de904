import { fail } from "../../base/errors.ts";
import type { SqlValue } from "../../ports/sql.ts";
import type { PgQuery, PgResult } from "./connection.ts";
import { numbered } from "./placeholders.ts";

const NOT_FOR_USERS = /^\s*(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i;

const CHANGES = /^\s*(insert|update|delete)\b(?![^]*\breturning\b)/i;
const MAX_PREPARED = 200; // texts; each takes memory on each connection
const WORTH_PREPARING = 3; // uses: a text with values written into it is seldom used again

const uses = new Map<string, number>();
const names = new Map<string, string>();

/**
 * The name under which a text is prepared: half of what a small statement costs is its reading. Undefined for what is rare, and for what gives rows, whose columns
 * an `alter table` may change: a prepared one would then fail for as long as its connection lives.
 */
export function preparedName(sql: string): string | undefined {
  const known = names.get(sql);
  if (known !== undefined || names.size >= MAX_PREPARED) return known;
  const count = (uses.get(sql) ?? 0) + 1;
  if (uses.size >= 10 * MAX_PREPARED) uses.clear();
  uses.set(sql, count);
  if (count < WORTH_PREPARING || !CHANGES.test(sql)) return undefined;
  const name = `postrider_user_${names.size + 1}`;
  names.set(sql, name);
  uses.delete(sql);
  return name;
}

/** A user's own portable statement. @throws PR_FEATURE_REFUSED for one that would end or evade the transaction */
export function userQuery(sql: string, parameters: readonly SqlValue[]): PgQuery {
  const verb = NOT_FOR_USERS.exec(sql)?.[1];
  if (verb !== undefined)
    throw fail("PR_FEATURE_REFUSED", {
      feature: `"${verb}" as a statement`,
      adapter: "postgres",
      reason: "the transaction is Postrider's to begin and to end",
    });
  // Extended, also without parameters: so that a text is one statement, and none can end the transaction behind another.
  return { text: numbered(sql), values: parameters.map(bindable), queryMode: "extended" };
}

function bindable(value: SqlValue): unknown {
  return value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

const INT8 = 20; // pg_type.oid

/** Rows as the other stores give them: `bigint`, and so every `count(*)`, is a number; beyond what a number holds exactly, a bigint. `pg` gives texts. */
export function portableRows({ rows, fields }: PgResult): readonly Readonly<Record<string, unknown>>[] {
  const wide = fields?.filter(({ dataTypeID }) => dataTypeID === INT8).map(({ name }) => name) ?? [];
  if (wide.length === 0) return rows;
  return rows.map((row) => {
    const portable: Record<string, unknown> = { ...row };
    for (const name of wide) portable[name] = int8Of(row[name]);
    return portable;
  });
}

/** A user who has set a parser of their own gets what it gave. */
function int8Of(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}
