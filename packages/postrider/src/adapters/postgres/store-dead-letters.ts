import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterList,
  DeadLetterReader,
  DeadLetterWriter,
} from "../../ports/dead-letters.ts";
import { fromText, fromTextOrNull, toText, toTextOrNull } from "./column-text.ts";
import { pageClause, pageValues } from "./page.ts";
import { statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { bodyColumns, bodyOf } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

const FACTS = `list, contract, message_id, destination, lane, key, is_ordered, head, headers, body, is_text, code, reason, stack, fingerprint, attempts, at, redrives`;
const COLUMNS = `id, ${FACTS}`;
const VALUE_COUNT = COLUMNS.split(",").length;

// A part that is not given is null, so that there is one text for all filters.
const FILTER = `service = $1 and ($2::text is null or list = $2) and ($3::text is null or contract = $3) and ($4::text is null or message_id = $4)
  and ($5::text is null or fingerprint = $5) and ($6::text is null or key = $6) and ($7::text[] is null or id = any ($7)) and ($8::bigint is null or at < $8)`;

/** What was given up, byte for byte. */
export class DeadLetterTable {
  readonly #service: string;
  readonly #add: Statement;
  readonly #find: Statement;
  readonly #lock: Statement;
  readonly #remove: Statement;
  readonly #list: Statement;
  readonly #groups: Statement;
  readonly #count: Statement;

  constructor({ service, schema }: StorePlace) {
    const table = `${schema}.pr_dead_letters`;
    this.#service = service;
    this.#add = statement(`${addLetterSql(schema)} values ($1, ${placeholders(2)}) ${REPLACE}`);
    this.#find = statement(`select ${COLUMNS} from ${table} where service = $1 and id = $2`);
    this.#lock = statement(`select ${COLUMNS} from ${table} where service = $1 and id = $2 for update`);
    this.#remove = statement(`delete from ${table} where service = $1 and id = $2`);
    this.#list = statement(`select ${COLUMNS} from ${table} where ${FILTER} and ${pageClause(9)}`);
    const newest = `select distinct on (fingerprint) fingerprint, contract, code, reason from ${table} where ${FILTER} order by fingerprint, at desc, id desc`;
    const sums = `select fingerprint, count(*) as count, min(at) as first_at, max(at) as last_at from ${table} where ${FILTER} group by fingerprint`;
    this.#groups = statement(
      `select n.*, s.count, s.first_at, s.last_at from (${newest}) n join (${sums}) s on s.fingerprint = n.fingerprint order by s.count desc, s.last_at desc`,
    );
    this.#count = statement(`select count(*) as count from ${table} where ${FILTER}`);
  }

  writer(run: Run): DeadLetterWriter {
    return {
      add: async (letter) => void (await run(this.#add, this.#service, ...letterValues(letter))),
      get: (id) => this.#get(run, this.#lock, id),
      remove: async (id) => (await run(this.#remove, this.#service, toText(id))).rowCount === 1,
    };
  }

  reader(run: Run): DeadLetterReader {
    return {
      list: async (filter, page) => {
        const { rows } = await run(this.#list, this.#service, ...filterValues(filter), ...pageValues(page));
        return rows.map((row) => letterOf(this.#service, row));
      },
      groups: async (filter) => {
        const { rows } = await run(this.#groups, this.#service, ...filterValues(filter));
        return rows.map((row) => groupOf(this.#service, row));
      },
      get: (id) => this.#get(run, this.#find, id),
      count: async (filter) => Number((await run(this.#count, this.#service, ...filterValues(filter))).rows[0]!["count"]),
    };
  }

  async #get(run: Run, find: Statement, id: string): Promise<DeadLetter | undefined> {
    const row = (await run(find, this.#service, toText(id))).rows[0];
    return row === undefined ? undefined : letterOf(this.#service, row);
  }
}

/** The begin of a statement that adds a letter: `values (…)` or `select …` of the service and {@link letterValues} follows, then {@link REPLACE}. */
export function addLetterSql(schema: string): string {
  return `insert into ${schema}.pr_dead_letters (service, ${COLUMNS})`;
}

/** The end of a statement that adds a letter: one of the same id is replaced. */
export const REPLACE: string = `on conflict (service, id) do update set (${FACTS}) = (${FACTS.replaceAll(/\w+/g, "excluded.$&")})`;

/** The placeholders of {@link letterValues}, with the types that a `select` needs. `from` is the number of the first. */
function placeholders(from: number): string {
  return Array.from({ length: VALUE_COUNT }, (_, at) => `$${from + at}`).join(", ");
}

/** A letter's columns, in the order of {@link addLetterSql}, without the service. */
export function letterValues(letter: DeadLetter): readonly unknown[] {
  return [
    toText(letter.id),
    letter.list,
    toText(letter.contract),
    toText(letter.messageId),
    toText(letter.destination),
    letter.lane,
    toTextOrNull(letter.key),
    letter.isOrdered,
    headToColumn(letter.envelope),
    headersToColumn(letter.headers),
    ...bodyColumns(letter.body),
    toText(letter.code),
    toText(letter.reason),
    toTextOrNull(letter.stack),
    toText(letter.fingerprint),
    letter.attempts,
    letter.at,
    letter.redrives,
  ];
}

function filterValues({ list, contract, messageId, fingerprint, key, ids, before }: DeadLetterFilter): readonly unknown[] {
  return [
    list ?? null,
    toTextOrNull(contract),
    toTextOrNull(messageId),
    toTextOrNull(fingerprint),
    toTextOrNull(key),
    ids?.map(toText) ?? null,
    before ?? null,
  ];
}

function groupOf(service: string, row: Readonly<Record<string, unknown>>): DeadLetterGroup {
  return {
    fingerprint: fromText(row["fingerprint"]),
    service,
    contract: fromText(row["contract"]),
    code: fromText(row["code"]),
    reason: fromText(row["reason"]),
    count: Number(row["count"]),
    firstAt: Number(row["first_at"]),
    lastAt: Number(row["last_at"]),
  };
}

function letterOf(service: string, row: Readonly<Record<string, unknown>>): DeadLetter {
  return {
    id: fromText(row["id"]),
    service,
    list: row["list"] as DeadLetterList,
    contract: fromText(row["contract"]),
    messageId: fromText(row["message_id"]),
    destination: fromText(row["destination"]),
    lane: row["lane"] as number,
    key: fromTextOrNull(row["key"]),
    isOrdered: row["is_ordered"] === true,
    envelope: headFromColumn(row["head"] as string | null),
    headers: headersFromColumn(row["headers"] as string | null),
    body: bodyOf(row["body"], row["is_text"]),
    code: fromText(row["code"]),
    reason: fromText(row["reason"]),
    stack: fromTextOrNull(row["stack"]),
    fingerprint: fromText(row["fingerprint"]),
    attempts: row["attempts"] as number,
    at: Number(row["at"]),
    redrives: row["redrives"] as number,
  };
}
