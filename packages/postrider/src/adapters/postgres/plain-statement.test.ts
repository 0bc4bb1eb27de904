import { expect, test } from "vitest";
import { isPlainStatement } from "./plain-statement.ts";

test.each([
  "insert into orders (id, total) values (?, ?) on conflict (id) do update set total = excluded.total",
  "update stock set count = count - ? where item = ? and count >= ?",
  "delete from carts where id in (select cart from orders where id = ?)",
  "with moved as (delete from a returning id) insert into b (id) select id from moved",
  "select count(*) as n, coalesce(sum(total), 0) as sum from orders where at > now() - interval '1 day' for update",
])("leaves nothing but rows: %s", (sql) => {
  expect(isPlainStatement(sql)).toBe(true);
});

test.each([
  "set local app.tenant = 'a'",
  "select set_config('app.tenant', ?, true)",
  "select * from set_config('app.tenant', ?, true)",
  'insert into t (a) values ("set_config"(?, ?, true))',
  "select set_config/**/('app.tenant', ?, true)",
  "select pg_advisory_xact_lock(?)",
  "select shop.place_order(?)",
  "create temp table found (id text) on commit drop",
  "select id into temp found from orders",
  "lock table orders",
  "declare c cursor for select 1",
])("may leave something behind: %s", (sql) => {
  expect(isPlainStatement(sql)).toBe(false);
});
