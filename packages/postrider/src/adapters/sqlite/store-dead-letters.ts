import type { SQLInputValue } from "node:sqlite";
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterList,
  DeadLetterReader,
  DeadLetterWriter,
} from "../../ports/dead-letters.ts";
import type { Page } from "../../ports/page.ts";
import type { Connection } from "./connection.ts";
import { pageClause } from "./page.ts";
import type { StoreAccess, StorePlace } from "./place.ts";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";

const COLUMNS = `id, service, list, contract, message_id as messageId, destination, lane, key, is_ordered as isOrdered, head, headers, body,
  code, reason, stack, fingerprint, attempts, at, redrives`;

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
  const sql = `insert or replace into pr_dead_letters (service, id, list, contract, message_id, destination, lane, key, is_ordered, head, headers, body, code, reason, stack,
    fingerprint, attempts, at, redrives) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  const place = [
    service,
    letter.id,
    letter.list,
    letter.contract,
    letter.messageId,
    letter.destination,
    letter.lane,
    letter.key ?? null,
    Number(letter.isOrdered),
  ] as const;
  const message = [headToColumn(letter.envelope), headersToColumn(letter.headers), letter.body] as const;
  connection.run(
    sql,
    ...place,
    ...message,
    letter.code,
    letter.reason,
    letter.stack ?? null,
    letter.fingerprint,
    letter.attempts,
    letter.at,
    letter.redrives,
  );
}

/** Dead letters outside transactions. */
export function deadLetterReader({ service, reader }: StoreAccess): DeadLetterReader {
  return {
    list(filter: DeadLetterFilter, page: Page) {
      const { where, parameters } = filterClause(service, filter);
      const paged = pageClause(page);
      const sql = `select ${COLUMNS} from pr_dead_letters where ${where} and ${paged.where} ${paged.order}`;
      return Promise.resolve(reader.all<LetterColumns>(sql, ...parameters, ...paged.parameters).map(letterOf));
    },
    groups(filter) {
      const { where, parameters } = filterClause(service, filter);
      // With one max() alone, SQLite takes the plain columns from the row that has it: what a group shares is told as its newest letter has it.
      const newest = `select fingerprint, service, contract, code, reason, count(*) as count, max(at) as lastAt from pr_dead_letters where ${where} group by fingerprint`;
      const oldest = `select fingerprint, min(at) as firstAt from pr_dead_letters where ${where} group by fingerprint`;
      const sql = `select n.*, o.firstAt from (${newest}) n join (${oldest}) o on o.fingerprint = n.fingerprint order by count desc, lastAt desc`;
      return Promise.resolve(reader.all<DeadLetterGroup>(sql, ...parameters, ...parameters).map((group) => ({ ...group })));
    },
    get: (id) => Promise.resolve(findLetter(reader, service, id)),
    count(filter) {
      const { where, parameters } = filterClause(service, filter);
      return Promise.resolve(
        reader.get<{ count: number }>(`select count(*) as count from pr_dead_letters where ${where}`, ...parameters)!.count,
      );
    },
  };
}

interface LetterColumns {
  readonly id: string;
  readonly service: string;
  readonly list: DeadLetterList;
  readonly contract: string;
  readonly messageId: string;
  readonly destination: string;
  readonly lane: number;
  readonly key: string | null;
  readonly isOrdered: number;
  readonly head: string | null;
  readonly headers: string | null;
  readonly body: string | Uint8Array;
  readonly code: string;
  readonly reason: string;
  readonly stack: string | null;
  readonly fingerprint: string;
  readonly attempts: number;
  readonly at: number;
  readonly redrives: number;
}

function findLetter(connection: Connection, service: string, id: string): DeadLetter | undefined {
  const row = connection.get<LetterColumns>(`select ${COLUMNS} from pr_dead_letters where service = ? and id = ?`, service, id);
  return row === undefined ? undefined : letterOf(row);
}

function filterClause(
  service: string,
  filter: DeadLetterFilter,
): { readonly where: string; readonly parameters: readonly SQLInputValue[] } {
  const parts: string[] = ["service = ?"];
  const parameters: SQLInputValue[] = [service];
  const add = (part: string, value: SQLInputValue | undefined): void => {
    if (value === undefined) return;
    parts.push(part);
    parameters.push(value);
  };
  add("list = ?", filter.list);
  add("contract = ?", filter.contract);
  add("message_id = ?", filter.messageId);
  add("fingerprint = ?", filter.fingerprint);
  add("key = ?", filter.key);
  add("id in (select value from json_each(?))", filter.ids === undefined ? undefined : JSON.stringify(filter.ids));
  add("at < ?", filter.before);
  return { where: parts.join(" and "), parameters };
}

function letterOf(row: LetterColumns): DeadLetter {
  const { head, headers, body, ...facts } = row;
  return {
    ...facts,
    key: row.key ?? undefined,
    stack: row.stack ?? undefined,
    isOrdered: row.isOrdered === 1,
    envelope: headFromColumn(head),
    headers: headersFromColumn(headers),
    body,
  };
}
