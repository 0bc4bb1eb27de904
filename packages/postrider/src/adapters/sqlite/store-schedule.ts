import type { ScheduledMessage, ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import { Clause, replaceSql } from "../../rows/clause.ts";
import type { Row } from "../../rows/columns.ts";
import { scheduledNames, scheduledOf, scheduledValues } from "../../rows/scheduled-row.ts";
import type { Connection } from "./connection.ts";
import { COLUMNS } from "./place.ts";
import type { StoreAccess, StorePlace } from "./place.ts";

const NAMES = scheduledNames(COLUMNS);
const PUT = replaceSql("pr_schedule", NAMES);

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

  put(entry: ScheduledMessage): void {
    this.#connection.run(PUT, this.#service, ...scheduledValues(COLUMNS, entry));
  }

  cancel(id: string): boolean {
    return this.#connection.run("delete from pr_schedule where service = ? and id = ?", this.#service, id) === 1;
  }

  reschedule(id: string, dueAt: number): boolean {
    return this.#connection.run("update pr_schedule set due_at = ? where service = ? and id = ?", dueAt, this.#service, id) === 1;
  }

  takeDue(limit: number): readonly ScheduledMessage[] {
    const sql = `select ${NAMES} from pr_schedule where service = ? and due_at <= ? order by due_at, id limit ?`;
    const due = this.#connection.all<Row>(sql, this.#service, this.#nowMs(), limit).map((row) => scheduledOf(COLUMNS, row));
    for (const { id } of due) this.cancel(id);
    return due;
  }

  get(id: string): ScheduledMessage | undefined {
    const row = this.#connection.get<Row>(`select ${NAMES} from pr_schedule where service = ? and id = ?`, this.#service, id);
    return row === undefined ? undefined : scheduledOf(COLUMNS, row);
  }
}

/** The schedule outside transactions. */
export function scheduleReader({ service, reader }: StoreAccess): ScheduleReader {
  return {
    nextDueAt: () =>
      reader.get<{ dueAt: number | null }>("select min(due_at) as dueAt from pr_schedule where service = ?", service)!.dueAt ?? undefined,
    list({ limit, after }) {
      const { sql, values } = new Clause<string>("service = ?", service).and("id < ?", after);
      const rows = reader.all<Row>(`select ${NAMES} from pr_schedule where ${sql} order by id desc limit ?`, ...values, limit);
      return Promise.resolve(rows.map((row) => scheduledOf(COLUMNS, row)));
    },
  };
}
