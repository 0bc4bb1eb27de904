import { expect, test } from "vitest";
import { statementFlaw } from "./user-statement.ts";

test.each<[sql: string, parsed: string]>([
  ["select 1", "select 1"],
  ["select 1;", "select 1;"],
  [" -- why\nselect ';' ; -- because\n /* of */ ; ", " -- why\nselect ';' ;"],
  ["insert into begin values (1)", "insert into begin values (1)"],
])("%j is one statement", (sql, parsed) => {
  expect(statementFlaw(sql, parsed)).toBeUndefined();
});

test.each(["commit", "\n COMMIT;", "-- a\ncommit", "/* a\n */ rollback", ";;end", "Vacuum", "release a"])("%j is not the user's", (sql) => {
  expect(statementFlaw(sql, sql)?.reason).toMatch(/Postrider's to begin and to end/);
});

test("of several statements only the first would run: they are refused", () => {
  expect(statementFlaw("create table a (x); create table b (x)", "create table a (x);")?.feature).toBe("more than one statement in a call");
});
