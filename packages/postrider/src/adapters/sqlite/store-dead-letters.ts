import type { WireBody } from "../../envelope/envelope.ts";
import type { DeadLetter, DeadLetterFilter, DeadLetterReader, DeadLetterWriter } from "../../ports/dead-letters.ts";
import { replaceSql } from "../../rows/clause.ts";
import type { Clause } from "../../rows/clause.ts";
import type { Plain, Row } from "../../rows/columns.ts";
import { groupOf, letterClause, letterNames, letterOf, letterValues } from "../../rows/letter-row.ts";
import type { Connection } from "./connection.ts";
import { COLUMNS } from "./place.ts";
import type { StoreAccess, StorePlace } from "./place.ts";

const NAMES = letterNames(COLUMNS);
const ADD = replaceSql("pr_dead_letters", NAMES);

/** Dead letters inside a transaction. */
export class DeadLetterTable implements DeadLetterWriter {
  readonly #service: string;
  readonly #connection: Connection;

  constructor({ service }: StorePlace, connection: Connection) {
    this.#service = service;
    this.#connection = connection;
  }

  add(letter: DeadLetter): void {
    addLetter(this.#connection, this.#service, letter);
  }

  get(id: string): DeadLetter | undefined {
    return findLetter(this.#connection, this.#service, id);
  }

  remove(id: string): boolean {
    return this.#connection.run("delete from pr_dead_letters where service = ? and id = ?", this.#service, id) === 1;
  }
}

/** Writes a letter, inside a turn. */
export function addLetter(connection: Connection, service: string, letter: DeadLetter): void {
  connection.run(ADD, service, ...letterValues(COLUMNS, letter));
}

/** Dead letters outside transactions. */
export function deadLetterReader({ service, reader }: StoreAccess): DeadLetterReader {
  return {
    list(filter, { limit, after }) {
      const { sql, values } = clauseOf(service, filter).and("id < ?", after);
      const rows = reader.all<Row>(`select ${NAMES} from pr_dead_letters where ${sql} order by id desc limit ?`, ...values, limit);
      return Promise.resolve(rows.map((row) => letterOf(COLUMNS, service, row)));
    },
    groups(filter) {
      const { sql, values } = clauseOf(service, filter);
      // With one max() alone, SQLite takes the plain columns from the row that has it: what a group shares is told as its newest letter has it.
      const newest = `select fingerprint, contract, code, reason, count(*) as count, max(at) as last_at from pr_dead_letters where ${sql} group by fingerprint`;
      const oldest = `select fingerprint, min(at) as first_at from pr_dead_letters where ${sql} group by fingerprint`;
      const both = `select n.*, o.first_at from (${newest}) n join (${oldest}) o on o.fingerprint = n.fingerprint order by count desc, last_at desc`;
      return Promise.resolve(reader.all<Row>(both, ...values, ...values).map((row) => groupOf(COLUMNS, service, row)));
    },
    get: (id) => Promise.resolve(findLetter(reader, service, id)),
    count(filter) {
      const { sql, values } = clauseOf(service, filter);
      return Promise.resolve(reader.get<{ count: number }>(`select count(*) as count from pr_dead_letters where ${sql}`, ...values)!.count);
    },
  };
}

function findLetter(connection: Connection, service: string, id: string): DeadLetter | undefined {
  const row = connection.get<Row>(`select ${NAMES} from pr_dead_letters where service = ? and id = ?`, service, id);
  return row === undefined ? undefined : letterOf(COLUMNS, service, row);
}

function clauseOf(service: string, filter: DeadLetterFilter): Clause<WireBody | Plain> {
  const ids = filter.ids === undefined ? undefined : JSON.stringify(filter.ids);
  return letterClause(COLUMNS, service, filter).and("id in (select value from json_each(?))", ids);
}
