import type { DeadLetter, DeadLetterFilter, DeadLetterReader, DeadLetterWriter } from "../../ports/dead-letters.ts";
import { replaceSql } from "../../rows/clause.ts";
import type { Clause } from "../../rows/clause.ts";
import { given } from "../../rows/columns.ts";
import { groupOf, letterClause, letterNames, letterOf, letterValues } from "../../rows/letter-row.ts";
import { COLUMNS, int, toBytes } from "./columns.ts";
import type { MysqlValue } from "./connection.ts";
import type { Run } from "./place.ts";

const NAMES = letterNames(COLUMNS);
const ADD = replaceSql("pr_dead_letters", NAMES);
const FIND = `select ${NAMES} from pr_dead_letters where service = ? and id = ?`;

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
  await run(ADD, service, ...letterValues(COLUMNS, letter));
}

/** Dead letters outside transactions. */
export function deadLetterReader(service: Buffer, run: Run): DeadLetterReader {
  const name = service.toString("utf8");
  return {
    list: async (filter, { limit, after }) => {
      const { sql, values } = clauseOf(service, filter).and("id < ?", given(COLUMNS, after));
      const { rows } = await run(`select ${NAMES} from pr_dead_letters where ${sql} order by id desc limit ${int(limit)}`, ...values);
      return rows.map((row) => letterOf(COLUMNS, name, row));
    },
    groups: async (filter) => {
      const { sql, values } = clauseOf(service, filter);
      const ranked = `select fingerprint, contract, code, reason, row_number() over (partition by fingerprint order by at desc, id desc) as place,
        count(*) over (partition by fingerprint) as count, min(at) over (partition by fingerprint) as first_at, max(at) over (partition by fingerprint) as last_at
        from pr_dead_letters where ${sql}`;
      const { rows } = await run(`select * from (${ranked}) ranked where place = 1 order by count desc, last_at desc`, ...values);
      return rows.map((row) => groupOf(COLUMNS, name, row));
    },
    get: (id) => find(service, run, FIND, id),
    count: async (filter) => {
      const { sql, values } = clauseOf(service, filter);
      return Number((await run(`select count(*) as count from pr_dead_letters where ${sql}`, ...values)).rows[0]!["count"]);
    },
  };
}

async function find(service: Buffer, run: Run, sql: string, id: string): Promise<DeadLetter | undefined> {
  const row = (await run(sql, service, toBytes(id))).rows[0];
  return row === undefined ? undefined : letterOf(COLUMNS, service.toString("utf8"), row);
}

function clauseOf(service: Buffer, filter: DeadLetterFilter): Clause<MysqlValue> {
  const clause = letterClause(COLUMNS, service, filter);
  const { ids } = filter;
  if (ids === undefined) return clause;
  return clause.and(ids.length === 0 ? "false" : `id in (${ids.map(() => "?").join(", ")})`, ...ids.map(toBytes));
}
