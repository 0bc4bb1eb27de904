import type { ScheduledMessage, ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import { numberOrNull } from "../../rows/columns.ts";
import type { Row } from "../../rows/columns.ts";
import { scheduledNames, scheduledOf, scheduledValues } from "../../rows/scheduled-row.ts";
import { toText } from "./column-text.ts";
import { pageClause, pageValues } from "./page.ts";
import { putSql } from "./put.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { COLUMNS } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

const NAMES = scheduledNames(COLUMNS);

/** What is to be sent later. */
export class ScheduleTable {
  readonly #service: string;
  readonly #put: Statement;
  readonly #cancel: Statement;
  readonly #move: Statement;
  readonly #take: Statement;
  readonly #get: Statement;
  readonly #next: Statement;
  readonly #list: Statement;

  constructor({ service, schema }: StorePlace) {
    const table = `${schema}.pr_schedule`;
    this.#service = service;
    this.#put = statement(putSql(table, NAMES));
    this.#cancel = statement(`delete from ${table} where service = $1 and id = $2`);
    this.#move = statement(`update ${table} set due_at = $3 where service = $1 and id = $2`);
    // What another transaction takes now is its own: should it roll back, the row is there for the next look.
    // Materialized, because a subquery may be run again for each row that it is joined with, and would then find others behind the ones it has locked.
    this.#take = statement(
      `with due as materialized (select id from ${table} where service = $1 and due_at <= ${NOW_MS} order by due_at, id limit $2 for update skip locked)
       delete from ${table} s using due where s.service = $1 and s.id = due.id returning ${NAMES.replaceAll(/\w+/g, "s.$&")}`,
    );
    this.#get = statement(`select ${NAMES} from ${table} where service = $1 and id = $2`);
    this.#next = statement(`select min(due_at) as due_at from ${table} where service = $1`);
    this.#list = statement(`select ${NAMES} from ${table} where service = $1 and ${pageClause(2)}`);
  }

  writer(run: Run): ScheduleWriter {
    return {
      put: async (entry) => void (await run(this.#put, this.#service, ...scheduledValues(COLUMNS, entry))),
      cancel: async (id) => (await run(this.#cancel, this.#service, toText(id))).rowCount === 1,
      reschedule: async (id, dueAt) => (await run(this.#move, this.#service, toText(id), dueAt)).rowCount === 1,
      takeDue: async (limit) => (await run(this.#take, this.#service, limit)).rows.map(entryOf).sort(oldestFirst),
      get: async (id) => {
        const row = (await run(this.#get, this.#service, toText(id))).rows[0];
        return row === undefined ? undefined : entryOf(row);
      },
    };
  }

  reader(run: Run): ScheduleReader {
    return {
      nextDueAt: async () => numberOrNull((await run(this.#next, this.#service)).rows[0]!["due_at"]),
      list: async (page) => (await run(this.#list, this.#service, ...pageValues(page))).rows.map(entryOf),
    };
  }
}

function oldestFirst(left: ScheduledMessage, right: ScheduledMessage): number {
  return left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1);
}

function entryOf(row: Row): ScheduledMessage {
  return scheduledOf(COLUMNS, row);
}
