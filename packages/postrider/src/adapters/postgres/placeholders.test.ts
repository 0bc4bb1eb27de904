import { expect, test } from "vitest";
import { numbered } from "./placeholders.ts";

test.each([
  ["select 1", "select 1"],
  ["insert into t (a, b) values (?, ?)", "insert into t (a, b) values ($1, $2)"],
  ["?", "$1"],
  ["select '?' , ?", "select '?' , $1"],
  ["select 'it''s ?', ?", "select 'it''s ?', $1"],
  ["select 'a\\', ?", "select 'a\\', $1"],
  ["select E'a\\'?', ?", "select E'a\\'?', $1"],
  ["select e'\\\\', ?", "select e'\\\\', $1"],
  ["select name'?' , ?", "select name'?' , $1"],
  ['select "a?b""?" from t where c = ?', 'select "a?b""?" from t where c = $1'],
  ["select 1 -- really? it's\n, ?", "select 1 -- really? it's\n, $1"],
  ["select 1 -- the end?", "select 1 -- the end?"],
  ["select /* ? /* ? */ ? */ ?", "select /* ? /* ? */ ? */ $1"],
  ["select 1 /* open ?", "select 1 /* open ?"],
  ["select $$ ? $$, ?", "select $$ ? $$, $1"],
  ["select $tag$ ? $$ ? $other$ ? $tag$, ?", "select $tag$ ? $$ ? $other$ ? $tag$, $1"],
  ["select a$b$ ?, ?", "select a$b$ $1, $2"],
  ["select ?::int / ?", "select $1::int / $2"],
  ["select 'à 주문 ?' || ?", "select 'à 주문 ?' || $1"],
  ["select 'never closed ?", "select 'never closed ?"],
])("%j becomes %j", (portable, own) => {
  expect(numbered(portable)).toBe(own);
  expect(numbered(portable), "again, from memory").toBe(own);
});

test("many texts are not all kept", () => {
  for (let at = 0; at < 2000; at++) expect(numbered(`select ${at}, ?`)).toBe(`select ${at}, $1`);
});
