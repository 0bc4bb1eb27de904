import { describe, expect, test } from "vitest";
import { toMysql } from "./mysql-words.ts";

describe("the shop's SQL, said to MySQL", () => {
  test("what is new is inserted, and what is there is left alone", () => {
    expect(toMysql("insert into a (b, c) values (?, ?) on conflict do nothing")).toBe("insert ignore into a (b, c) values (?, ?)");
  });

  test("what is there is changed, from what it was and from what was given", () => {
    expect(toMysql("insert into a (b, c) values (?, ?)\n  on conflict (b) do update set c = a.c + excluded.c, d = a.d + 1")).toBe(
      "insert into a (b, c) values (?, ?) on duplicate key update c = a.c + values(c), d = a.d + 1",
    );
  });

  test("a condition holds for every column, and the one that it compares comes last", () => {
    expect(
      toMysql(
        "insert into a (b, c, v) values (?, ?, ?) on conflict (b) do update set c = excluded.c, v = excluded.v where a.v < excluded.v",
      ),
    ).toBe(
      "insert into a (b, c, v) values (?, ?, ?) on duplicate key update c = if(a.v < values(v), values(c), c), v = if(a.v < values(v), values(v), v)",
    );
  });

  test("a table's texts may be long, and are compared by their code points", () => {
    expect(toMysql("create table if not exists a (b varchar(255) primary key, text text not null, c text)")).toBe(
      "create table if not exists a (b varchar(255) primary key, text mediumtext not null, c mediumtext) character set utf8mb4 collate utf8mb4_bin",
    );
  });

  test("an index of a part begins with the column that chooses it, and another is one of everything", () => {
    expect(toMysql("create index if not exists i on a (b) where c = 0")).toBe("create index i on a (c, b)");
    expect(toMysql("create index if not exists i on a (b, d) where c <> e")).toBe("create index i on a (b, d)");
    expect(toMysql("create index if not exists i on a (b, d)")).toBe("create index i on a (b, d)");
  });

  test("everything else is said as it is, and what cannot be said is refused", () => {
    expect(toMysql('select a as "b" from c where d = ?')).toBe('select a as "b" from c where d = ?');
    expect(() => toMysql("insert into a (b) values (?) returning b")).toThrow("cannot say this to MySQL");
    expect(() => toMysql("insert into a (b) values (?) on conflict (b) do nothing")).toThrow("cannot say this to MySQL");
  });
});
