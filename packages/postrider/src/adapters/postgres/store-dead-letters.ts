import type { DeadLetter, DeadLetterFilter, DeadLetterReader, DeadLetterWriter } from "../../ports/dead-letters.ts";
import { optional } from "../../rows/columns.ts";
import { groupOf, letterNames, letterOf, letterValues } from "../../rows/letter-row.ts";
import { toText } from "./column-text.ts";
import { pageClause, pageValues } from "./page.ts";
import { putSql } from "./put.ts";
import { statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { COLUMNS } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

const NAMES = letterNames(COLUMNS);

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
    this.#add = statement(putSql(table, NAMES));
    this.#find = statement(`select ${NAMES} from ${table} where service = $1 and id = $2`);
    this.#lock = statement(`select ${NAMES} from ${table} where service = $1 and id = $2 for update`);
    this.#remove = statement(`delete from ${table} where service = $1 and id = $2`);
    this.#list = statement(`select ${NAMES} from ${table} where ${FILTER} and ${pageClause(9)}`);
    const newest = `select distinct on (fingerprint) fingerprint, contract, code, reason from ${table} where ${FILTER} order by fingerprint, at desc, id desc`;
    const sums = `select fingerprint, count(*) as count, min(at) as first_at, max(at) as last_at from ${table} where ${FILTER} group by fingerprint`;
    this.#groups = statement(
      `select n.*, s.count, s.first_at, s.last_at from (${newest}) n join (${sums}) s on s.fingerprint = n.fingerprint order by s.count desc, s.last_at desc`,
    );
    this.#count = statement(`select count(*) as count from ${table} where ${FILTER}`);
  }

  writer(run: Run): DeadLetterWriter {
    return {
      add: async (letter) => void (await run(this.#add, this.#service, ...letterValues(COLUMNS, letter))),
      get: (id) => this.#get(run, this.#lock, id),
      remove: async (id) => (await run(this.#remove, this.#service, toText(id))).rowCount === 1,
    };
  }

  reader(run: Run): DeadLetterReader {
    return {
      list: async (filter, page) => {
        const { rows } = await run(this.#list, this.#service, ...filterValues(filter), ...pageValues(page));
        return rows.map((row) => letterOf(COLUMNS, this.#service, row));
      },
      groups: async (filter) => {
        const { rows } = await run(this.#groups, this.#service, ...filterValues(filter));
        return rows.map((row) => groupOf(COLUMNS, this.#service, row));
      },
      get: (id) => this.#get(run, this.#find, id),
      count: async (filter) => Number((await run(this.#count, this.#service, ...filterValues(filter))).rows[0]!["count"]),
    };
  }

  async #get(run: Run, find: Statement, id: string): Promise<DeadLetter | undefined> {
    const row = (await run(find, this.#service, toText(id))).rows[0];
    return row === undefined ? undefined : letterOf(COLUMNS, this.#service, row);
  }
}

function filterValues({ list, contract, messageId, fingerprint, key, ids, before }: DeadLetterFilter): readonly unknown[] {
  return [
    list ?? null,
    optional(COLUMNS, contract),
    optional(COLUMNS, messageId),
    optional(COLUMNS, fingerprint),
    optional(COLUMNS, key),
    ids?.map(toText) ?? null,
    before ?? null,
  ];
}
