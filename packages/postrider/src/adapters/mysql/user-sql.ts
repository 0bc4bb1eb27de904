import { fail } from "../../base/errors.ts";
import type { SqlValue } from "../../ports/sql.ts";
import type { MysqlValue } from "./connection.ts";

const NOT_FOR_USERS = /^\s*(begin|start\s+transaction|commit|rollback|savepoint|release|set\s+autocommit|(?:un)?lock\s+tables|xa)\b/i;
const DEFINES = /^\s*(create|alter|drop|truncate|rename|grant|revoke|analyze|optimize|repair)\b/i;

/** Refuses a statement of a user's that would end or evade the transaction. @throws PR_FEATURE_REFUSED */
export function assertForUsers(sql: string): void {
  const verb = NOT_FOR_USERS.exec(sql)?.[1];
  if (verb !== undefined)
    throw fail("PR_FEATURE_REFUSED", {
      feature: `"${verb}" as a statement`,
      adapter: "mysql",
      reason: "the transaction is Postrider's to begin and to end",
    });
}

/** Whether the server commits what is open before and after this statement, whatever it was asked to. */
export function isDefinition(sql: string): boolean {
  return DEFINES.test(sql) && !/^\s*(?:create|drop)\s+temporary\b/i.test(sql);
}

/** Values as `mysql2` binds them. */
export function bindable(values: readonly SqlValue[]): MysqlValue[] {
  return values.map((value) => {
    if (typeof value === "boolean") return Number(value);
    if (typeof value === "bigint") return String(value);
    return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
  });
}
