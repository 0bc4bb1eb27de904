import type { ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import { Clause, replaceSql } from "../../rows/clause.ts";
import { given, numberOrNull } from "../../rows/columns.ts";
import { scheduledNames, scheduledOf, scheduledValues } from "../../rows/scheduled-row.ts";
import { COLUMNS, int, toBytes } from "./columns.ts";
import { NOW_MS } from "./place.ts";
import type { Run } from "./place.ts";

const NAMES = scheduledNames(COLUMNS);
const PUT = replaceSql("pr_schedule", NAMES);

/** The schedule inside a transaction. */
export function scheduleWriter(service: Buffer, run: Run): ScheduleWriter {
  const remove = async (id: string): Promise<boolean> =>
    (await run("delete from pr_schedule where service = ? and id = ?", service, toBytes(id))).changes === 1;
  return {
    put: async (entry) => void (await run(PUT, service, ...scheduledValues(COLUMNS, entry))),
    cancel: remove,
    reschedule: async (id, dueAt) => {
      const found = await run("select 1 as found from pr_schedule where service = ? and id = ? for update", service, toBytes(id));
      if (found.rows.length === 0) return false;
      await run("update pr_schedule set due_at = ? where service = ? and id = ?", dueAt, service, toBytes(id));
      return true;
    },
    takeDue: async (limit) => {
      // What another transaction takes now is its own: should it roll back, the row is there for the next look.
      const sql = `select ${NAMES} from pr_schedule where service = ? and due_at <= ${NOW_MS} order by due_at, id limit ${int(limit)} for update skip locked`;
      const due = (await run(sql, service)).rows.map((row) => scheduledOf(COLUMNS, row));
      for (const { id } of due) await remove(id);
      return due;
    },
    get: async (id) => {
      const row = (await run(`select ${NAMES} from pr_schedule where service = ? and id = ?`, service, toBytes(id))).rows[0];
      return row === undefined ? undefined : scheduledOf(COLUMNS, row);
    },
  };
}

/** The schedule outside transactions. */
export function scheduleReader(service: Buffer, run: Run): ScheduleReader {
  return {
    nextDueAt: async () =>
      numberOrNull((await run("select min(due_at) as due_at from pr_schedule where service = ?", service)).rows[0]!["due_at"]),
    list: async ({ limit, after }) => {
      const { sql, values } = new Clause<Buffer>("service = ?", service).and("id < ?", given(COLUMNS, after));
      const { rows } = await run(`select ${NAMES} from pr_schedule where ${sql} order by id desc limit ${int(limit)}`, ...values);
      return rows.map((row) => scheduledOf(COLUMNS, row));
    },
  };
}
