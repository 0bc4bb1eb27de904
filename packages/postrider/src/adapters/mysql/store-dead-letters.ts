import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterList,
  DeadLetterReader,
  DeadLetterWriter,
} from "../../ports/dead-letters.ts";
import { digestOf, fromBytes, fromBytesOrNull, int, messageColumns, messageOf, toBytes, toBytesOrNull } from "./columns.ts";
import type { Row } from "./columns.ts";
import type { MysqlValue } from "./connection.ts";
import type { Run } from "./place.ts";

const COLUMNS = `id, list, contract, message_id, destination, lane, message_key, key_digest, is_ordered, head, headers, body, is_text, code, reason, stack, fingerprint,
  attempts, at, redrives`;
const FIND = `select ${COLUMNS} from pr_dead_letters where service = ? and id = ?`;

/** Dead letters inside a transaction. */
export function deadLetterWriter(service: Buffer, run: Run): DeadLetterWriter {
  return {
    add: (letter) => addLetter(service, run, letter),
    get: (id) => find(service, run, `${FIND} for update`, id),
    remove: async (id) => (await run("delete from pr_dead_letters where service = ? and id = ?", service, toBytes(id))).changes === 1,
  };
}

/** Writes a letter; one of the same id is replaced. */
export async function addLetter(service: Buffer, run: Run, letter: DeadLetter): Promise<void> {
  const { id, list, contract, messageId, destination, lane, key, isOrdered, envelope, headers, body } = letter;
  const place = [
    toBytes(id),
    list,
    toBytes(contract),
    toBytes(messageId),
    toBytes(destination),
    lane,
    toBytesOrNull(key),
    digestOf(key),
    Number(isOrdered),
  ];
  const why = [toBytes(letter.code), toBytes(letter.reason), toBytesOrNull(letter.stack), toBytes(letter.fingerprint)];
  const values = [service, ...place, ...messageColumns(envelope, headers, body), ...why, letter.attempts, letter.at, letter.redrives];
  await run(`replace into pr_dead_letters (service, ${COLUMNS}) values (${values.map(() => "?").join(", ")})`, ...values);
}

/** Dead letters outside transactions. */
export function deadLetterReader(service: Buffer, run: Run): DeadLetterReader {
  const name = service.toString("utf8");
  return {
    list: async (filter, { limit, after }) => {
      const [where, values] = clauseOf(service, filter, after);
      const sql = `select ${COLUMNS} from pr_dead_letters where ${where} order by id desc limit ${int(limit)}`;
      return (await run(sql, ...values)).rows.map((row) => letterOf(name, row));
    },
    groups: async (filter) => {
      const [where, values] = clauseOf(service, filter);
      const ranked = `select fingerprint, contract, code, reason, row_number() over (partition by fingerprint order by at desc, id desc) as place,
        count(*) over (partition by fingerprint) as count, min(at) over (partition by fingerprint) as first_at, max(at) over (partition by fingerprint) as last_at
        from pr_dead_letters where ${where}`;
      const { rows } = await run(`select * from (${ranked}) ranked where place = 1 order by count desc, last_at desc`, ...values);
      return rows.map((row) => groupOf(name, row));
    },
    get: (id) => find(service, run, FIND, id),
    count: async (filter) => {
      const [where, values] = clauseOf(service, filter);
      return Number((await run(`select count(*) as count from pr_dead_letters where ${where}`, ...values)).rows[0]!["count"]);
    },
  };
}

async function find(service: Buffer, run: Run, sql: string, id: string): Promise<DeadLetter | undefined> {
  const row = (await run(sql, service, toBytes(id))).rows[0];
  return row === undefined ? undefined : letterOf(service.toString("utf8"), row);
}

function clauseOf(service: Buffer, filter: DeadLetterFilter, after?: string): readonly [string, readonly MysqlValue[]] {
  const parts = ["service = ?"];
  const values: MysqlValue[] = [service];
  const add = (part: string, ...given: readonly MysqlValue[]): void => {
    parts.push(part);
    values.push(...given);
  };
  const { list, contract, messageId, fingerprint, key, ids, before } = filter;
  if (list !== undefined) add("list = ?", list);
  if (contract !== undefined) add("contract = ?", toBytes(contract));
  if (messageId !== undefined) add("message_id = ?", toBytes(messageId));
  if (fingerprint !== undefined) add("fingerprint = ?", toBytes(fingerprint));
  if (key !== undefined) add("message_key = ?", toBytes(key));
  if (ids !== undefined) add(ids.length === 0 ? "false" : `id in (${ids.map(() => "?").join(", ")})`, ...ids.map(toBytes));
  if (before !== undefined) add("at < ?", before);
  if (after !== undefined) add("id < ?", toBytes(after));
  return [parts.join(" and "), values];
}

function groupOf(service: string, row: Row): DeadLetterGroup {
  return {
    fingerprint: fromBytes(row["fingerprint"]),
    service,
    contract: fromBytes(row["contract"]),
    code: fromBytes(row["code"]),
    reason: fromBytes(row["reason"]),
    count: Number(row["count"]),
    firstAt: Number(row["first_at"]),
    lastAt: Number(row["last_at"]),
  };
}

function letterOf(service: string, row: Row): DeadLetter {
  return {
    id: fromBytes(row["id"]),
    service,
    list: row["list"] as DeadLetterList,
    contract: fromBytes(row["contract"]),
    messageId: fromBytes(row["message_id"]),
    destination: fromBytes(row["destination"]),
    lane: row["lane"] as number,
    key: fromBytesOrNull(row["message_key"]),
    isOrdered: row["is_ordered"] === 1,
    ...messageOf(row),
    code: fromBytes(row["code"]),
    reason: fromBytes(row["reason"]),
    stack: fromBytesOrNull(row["stack"]),
    fingerprint: fromBytes(row["fingerprint"]),
    attempts: row["attempts"] as number,
    at: Number(row["at"]),
    redrives: row["redrives"] as number,
  };
}
