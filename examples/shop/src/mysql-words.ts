import type { Infrastructure, Sql } from "postrider";

type Store = ReturnType<Exclude<Infrastructure["store"], "none">>;
type Transaction = Parameters<Parameters<Store["transaction"]>[0]>[0];

const INSERT_IF_NEW = /^insert into (?<rest>.*?)\s+on conflict do nothing$/s;
const UPSERT = /^(?<insert>insert into .*?)\s+on conflict \([^)]*\) do update set (?<changes>.*?)(?:\s+where (?<condition>.*))?$/s;
const TABLE = /^create table .*\)$/s;
const INDEX = /^create index if not exists (?<name>\w+) on (?<table>\w+) \((?<columns>[^)]*)\)(?: where (?<condition>.*))?$/s;
/** What the patterns above should have taken. */
const UNKNOWN_WORDS = /\bon conflict\b|\breturning\b|\bexcluded\./;

/**
 * The shop's SQL as MySQL and MariaDB say it. All that the shop writes is SQL that SQLite and PostgreSQL share, in few forms: those that these two lack are here.
 *
 * Texts are compared by their code points, as elsewhere; behind one, spaces do not count.
 * @throws for a form that it does not know
 */
export function toMysql(sql: string): string {
  const text = sql.trim();
  const said = ifNew(text) ?? upsert(text) ?? table(text) ?? index(text) ?? text;
  if (UNKNOWN_WORDS.test(said)) throw new Error(`the shop cannot say this to MySQL: ${text}`);
  return said;
}

/** A store that takes the shop's SQL and says it to MySQL. */
export function inMysqlWords(store: Store): Store {
  const known = new Map<string, string>();
  const words = (sql: string): string => {
    const said = known.get(sql) ?? toMysql(sql);
    known.set(sql, said);
    return said;
  };
  const transaction: Store["transaction"] = (work, options) =>
    store.transaction((begun) => work(withOther<Transaction>(begun, sqlWith(begun, words))), options);
  return withOther(store, { transaction, read: sqlWith(store.read, words) });
}

function ifNew(sql: string): string | undefined {
  const found = INSERT_IF_NEW.exec(sql)?.groups;
  return found && `insert ignore into ${found["rest"]}`;
}

function upsert(sql: string): string | undefined {
  const found = UPSERT.exec(sql)?.groups;
  if (found === undefined) return undefined;
  const { insert, changes = "", condition } = found;
  // MySQL assigns from left to right, and each assignment sees those before it: what the condition compares is changed last.
  const assignments = changes.split(",").map((change) => (condition === undefined ? change.trim() : onlyIf(condition, change)));
  return inserted(`${insert} on duplicate key update ${assignments.join(", ")}`);
}

function onlyIf(condition: string, change: string): string {
  const [column = "", value = ""] = change.split("=").map((part) => part.trim());
  return `${column} = if(${condition}, ${value}, ${column})`;
}

const inserted = (sql: string): string => sql.replaceAll(/\bexcluded\.(\w+)/g, "values($1)");

function table(sql: string): string | undefined {
  if (!TABLE.test(sql)) return undefined;
  return `${sql.replaceAll(/(?<=\w )text\b/g, "mediumtext")} character set utf8mb4 collate utf8mb4_bin`;
}

/** Not every server knows `if not exists` here: whoever runs it takes a name that is there for done. A partial index begins with the column that chooses its part. */
function index(sql: string): string | undefined {
  const found = INDEX.exec(sql)?.groups;
  if (found === undefined) return undefined;
  const chosen = /^(\w+) = \d+$/.exec(found["condition"] ?? "")?.[1];
  return `create index ${found["name"]} on ${found["table"]} (${chosen === undefined ? "" : `${chosen}, `}${found["columns"]})`;
}

function sqlWith(sql: Sql, words: (sql: string) => string): Sql {
  return {
    run: (text, ...parameters) => sql.run(words(text), ...parameters),
    get: (text, ...parameters) => sql.get(words(text), ...parameters),
    all: (text, ...parameters) => sql.all(words(text), ...parameters),
  };
}

/** The same, but for some members. */
function withOther<Target extends object>(target: Target, others: Partial<Target>): Target {
  return new Proxy(target, {
    get(_target, name) {
      if (name in others) return Reflect.get(others, name) as unknown;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}
