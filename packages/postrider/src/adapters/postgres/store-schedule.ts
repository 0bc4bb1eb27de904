import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";
import type { ScheduledMessage, ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import { fromText, toText } from "./column-text.ts";
import { pageClause, pageValues } from "./page.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import { bodyColumns, bodyOf, numberOrNull } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

const COLUMNS = "id, due_at, cron, timezone, destination, may_repeat, head, headers, body, is_text";

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
    this.#put = statement(
      `insert into ${table} (service, ${COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (service, id) do update set
       (due_at, cron, timezone, destination, may_repeat, head, headers, body, is_text) = (excluded.due_at, excluded.cron, excluded.timezone, excluded.destination,
       excluded.may_repeat, excluded.head, excluded.headers, excluded.body, excluded.is_text)`,
    );
    this.#cancel = statement(`delete from ${table} where service = $1 and id = $2`);
    this.#move = statement(`update ${table} set due_at = $3 where service = $1 and id = $2`);
    // What another transaction takes now is its own: should it roll back, the row is there for the next look.
    // Materialized, because a subquery may be run again for each row that it is joined with, and would then find others behind the ones it has locked.
    this.#take = statement(
      `with due as materialized (select id from ${table} where service = $1 and due_at <= ${NOW_MS} order by due_at, id limit $2 for update skip locked)
       delete from ${table} s using due where s.service = $1 and s.id = due.id returning ${COLUMNS.replaceAll(/\w+/g, "s.$&")}`,
    );
    this.#get = statement(`select ${COLUMNS} from ${table} where service = $1 and id = $2`);
    this.#next = statement(`select min(due_at) as due_at from ${table} where service = $1`);
    this.#list = statement(`select ${COLUMNS} from ${table} where service = $1 and ${pageClause(2)}`);
  }

  writer(run: Run): ScheduleWriter {
    return {
      put: (entry) => this.#write(run, entry),
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

  async #write(run: Run, { id, dueAt, message, recurrence }: ScheduledMessage): Promise<void> {
    const { destination, mayRepeat, envelope, headers, body } = message;
    const when = [toText(id), dueAt, recurrence?.cron ?? null, recurrence?.timezone ?? null];
    const what = [toText(destination), mayRepeat, headToColumn(envelope), headersToColumn(headers), ...bodyColumns(body)];
    await run(this.#put, this.#service, ...when, ...what);
  }
}

function oldestFirst(left: ScheduledMessage, right: ScheduledMessage): number {
  return left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1);
}

function entryOf(row: Readonly<Record<string, unknown>>): ScheduledMessage {
  const message = {
    envelope: headFromColumn(row["head"] as string)!,
    headers: headersFromColumn(row["headers"] as string | null),
    body: bodyOf(row["body"], row["is_text"]),
    destination: fromText(row["destination"]),
    mayRepeat: row["may_repeat"] === true,
  };
  const entry = { id: fromText(row["id"]), dueAt: Number(row["due_at"]), message };
  const { cron, timezone } = row as { readonly cron: string | null; readonly timezone: string | null };
  return cron === null || timezone === null ? entry : { ...entry, recurrence: { cron, timezone } };
}
