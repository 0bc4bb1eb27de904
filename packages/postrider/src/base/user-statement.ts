const NOTHING = /^(?:\s+|;|--[^\n]*\n?|\/\*[\s\S]*?\*\/)*/;
const NOT_FOR_USERS = /^(begin|commit|end|rollback|savepoint|release|attach|detach|vacuum)\b/i;

/** Why a user's SQL is refused. */
export interface StatementFlaw {
  readonly feature: string;
  readonly reason: string;
}

/** What is wrong with a user's SQL for SQLite, of which `parsed` is the first statement: one that would end or evade the transaction, or more than one. */
export function statementFlaw(sql: string, parsed: string): StatementFlaw | undefined {
  const verb = NOT_FOR_USERS.exec(sql.replace(NOTHING, ""))?.[1];
  if (verb !== undefined) return { feature: `"${verb}" as a statement`, reason: "the transaction is Postrider's to begin and to end" };
  if (sql.length > parsed.length && sql.slice(parsed.length).replace(NOTHING, "") !== "")
    return { feature: "more than one statement in a call", reason: "only the first would run; make a call of each" };
  return undefined;
}
