import type { Page } from "../../ports/page.ts";
import type { ScheduledMessage, ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import type { Connection } from "./connection.ts";
import { pageClause } from "./page.ts";
import type { StoreAccess, StorePlace } from "./place.ts";
import { headersFromColumn, headersToColumn, headFromColumn, headToColumn } from "../../envelope/columns.ts";

const COLUMNS = "id, due_at as dueAt, cron, timezone, destination, may_repeat as mayRepeat, head, headers, body";

/** The schedule inside a transaction. */
export class ScheduleTable implements ScheduleWriter {
  readonly #service: string;
  readonly #nowMs: () => number;
  readonly #connection: Connection;

  constructor({ service, clock }: StorePlace, connection: Connection) {
    this.#service = service;
    this.#nowMs = () => clock.now();
    this.#connection = connection;
  }

  put({ id, dueAt, message, recurrence }: ScheduledMessage): void {
    const sql =
      "insert or replace into pr_schedule (service, id, due_at, cron, timezone, destination, may_repeat, head, headers, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const { destination, mayRepeat, envelope, headers, body } = message;
    this.#connection.run(
      sql,
      this.#service,
      id,
      dueAt,
      recurrence?.cron ?? null,
      recurrence?.timezone ?? null,
      destination,
      Number(mayRepeat),
      headToColumn(envelope),
      headersToColumn(headers),
      body,
    );
  }

  cancel(id: string): boolean {
    return this.#connection.run("delete from pr_schedule where service = ? and id = ?", this.#service, id) === 1;
  }

  reschedule(id: string, dueAt: number): boolean {
    return this.#connection.run("update pr_schedule set due_at = ? where service = ? and id = ?", dueAt, this.#service, id) === 1;
  }

  takeDue(limit: number): readonly ScheduledMessage[] {
    const sql = `select ${COLUMNS} from pr_schedule where service = ? and due_at <= ? order by due_at, id limit ?`;
    const due = this.#connection.all<ScheduleColumns>(sql, this.#service, this.#nowMs(), limit);
    for (const { id } of due) this.cancel(id);
    return due.map(entryOf);
  }

  get(id: string): ScheduledMessage | undefined {
    const row = this.#connection.get<ScheduleColumns>(`select ${COLUMNS} from pr_schedule where service = ? and id = ?`, this.#service, id);
    return row === undefined ? undefined : entryOf(row);
  }
}

/** The schedule outside transactions. */
export function scheduleReader({ service, reader }: StoreAccess): ScheduleReader {
  return {
    nextDueAt: () =>
      reader.get<{ dueAt: number | null }>("select min(due_at) as dueAt from pr_schedule where service = ?", service)!.dueAt ?? undefined,
    list(page: Page) {
      const { where, order, parameters } = pageClause(page);
      const sql = `select ${COLUMNS} from pr_schedule where service = ? and ${where} ${order}`;
      return Promise.resolve(reader.all<ScheduleColumns>(sql, service, ...parameters).map(entryOf));
    },
  };
}

interface ScheduleColumns {
  readonly id: string;
  readonly dueAt: number;
  readonly cron: string | null;
  readonly timezone: string | null;
  readonly destination: string;
  readonly mayRepeat: number;
  readonly head: string;
  readonly headers: string | null;
  readonly body: string | Uint8Array;
}

function entryOf({ id, dueAt, cron, timezone, destination, mayRepeat, head, headers, body }: ScheduleColumns): ScheduledMessage {
  const message = { envelope: headFromColumn(head)!, headers: headersFromColumn(headers), body, destination, mayRepeat: mayRepeat === 1 };
  return cron === null || timezone === null ? { id, dueAt, message } : { id, dueAt, message, recurrence: { cron, timezone } };
}
