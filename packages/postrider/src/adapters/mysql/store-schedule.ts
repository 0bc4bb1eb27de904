import type { ScheduledMessage, ScheduleReader, ScheduleWriter } from "../../ports/schedule.ts";
import { fromBytes, fromBytesOrNull, int, messageColumns, messageOf, numberOrNull, toBytes, toBytesOrNull } from "./columns.ts";
import type { Row } from "./columns.ts";
import { NOW_MS } from "./place.ts";
import type { Run } from "./place.ts";

const COLUMNS = "id, due_at, cron, timezone, destination, may_repeat, head, headers, body, is_text";

/** The schedule inside a transaction. */
export function scheduleWriter(service: Buffer, run: Run): ScheduleWriter {
  const remove = async (id: string): Promise<boolean> =>
    (await run("delete from pr_schedule where service = ? and id = ?", service, toBytes(id))).changes === 1;
  return {
    put: async ({ id, dueAt, message, recurrence }) => {
      const { destination, mayRepeat, envelope, headers, body } = message;
      const when = [toBytes(id), dueAt, toBytesOrNull(recurrence?.cron), toBytesOrNull(recurrence?.timezone)] as const;
      const what = [toBytes(destination), Number(mayRepeat), ...messageColumns(envelope, headers, body)] as const;
      await run(`replace into pr_schedule (service, ${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, service, ...when, ...what);
    },
    cancel: remove,
    reschedule: async (id, dueAt) => {
      const found = await run("select 1 as found from pr_schedule where service = ? and id = ? for update", service, toBytes(id));
      if (found.rows.length === 0) return false;
      await run("update pr_schedule set due_at = ? where service = ? and id = ?", dueAt, service, toBytes(id));
      return true;
    },
    takeDue: async (limit) => {
      // What another transaction takes now is its own: should it roll back, the row is there for the next look.
      const sql = `select ${COLUMNS} from pr_schedule where service = ? and due_at <= ${NOW_MS} order by due_at, id limit ${int(limit)} for update skip locked`;
      const due = (await run(sql, service)).rows.map(entryOf);
      for (const { id } of due) await remove(id);
      return due;
    },
    get: async (id) => {
      const row = (await run(`select ${COLUMNS} from pr_schedule where service = ? and id = ?`, service, toBytes(id))).rows[0];
      return row === undefined ? undefined : entryOf(row);
    },
  };
}

/** The schedule outside transactions. */
export function scheduleReader(service: Buffer, run: Run): ScheduleReader {
  return {
    nextDueAt: async () =>
      numberOrNull((await run("select min(due_at) as due_at from pr_schedule where service = ?", service)).rows[0]!["due_at"]),
    list: async ({ limit, after }) => {
      const below = after === undefined ? "" : "and id < ?";
      const sql = `select ${COLUMNS} from pr_schedule where service = ? ${below} order by id desc limit ${int(limit)}`;
      return (await run(sql, service, ...(after === undefined ? [] : [toBytes(after)]))).rows.map(entryOf);
    },
  };
}

function entryOf(row: Row): ScheduledMessage {
  const { envelope, headers, body } = messageOf(row);
  const message = { envelope: envelope!, headers, body, destination: fromBytes(row["destination"]), mayRepeat: row["may_repeat"] === 1 };
  const entry = { id: fromBytes(row["id"]), dueAt: Number(row["due_at"]), message };
  const [cron, timezone] = [fromBytesOrNull(row["cron"]), fromBytesOrNull(row["timezone"])];
  return cron === undefined || timezone === undefined ? entry : { ...entry, recurrence: { cron, timezone } };
}
