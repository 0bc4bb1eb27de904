import { heldNames, IS_WAITING } from "../../rows/held-row.ts";
import { HELD_KEY_CLASS } from "./locks.ts";
import { pageClause } from "./page.ts";
import { putSql } from "./put.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Statement } from "./statement.ts";
import { COLUMNS } from "./store-place.ts";

const NAMES = heldNames(COLUMNS);

const OF_KEY = "service = $1 and destination = $2 and md5(key) = md5($3) and key = $3";
const IN_LANES = "($3::integer[] is null or lane = any ($3))";

/** Statements on held messages inside a transaction. Service, destination and key are $1, $2 and $3 where one takes them. */
export class HeldWriterSql {
  readonly lock: Statement;
  readonly put: Statement;
  readonly complete: Statement;
  readonly postpone: Statement;
  readonly isBlocked: Statement;
  readonly parkedCount: Statement;
  readonly releaseNext: Statement;

  constructor(schema: string) {
    const held = `${schema}.pr_held`;
    const dead = `select 1 from ${schema}.pr_dead_letters where ${OF_KEY} and is_ordered and list = 'failed'`;
    this.lock = statement(`select pg_advisory_xact_lock(${HELD_KEY_CLASS}, $1::integer)`);
    // One that is replaced counts as new: behind what is parked already, and under no claim of before.
    this.put = statement(putSql(held, NAMES, ", sequence, fence, claimed_until"));
    this.complete = statement(`delete from ${held} where service = $1 and id = $2 and fence = $3`);
    this.postpone = statement(
      `update ${held} set due_at = $4, failures = $5, first_failed_at = $6, fence = 0, claimed_until = 0 where service = $1 and id = $2 and fence = $3`,
    );
    this.isBlocked = statement(
      `(select 1 from ${held} where ${OF_KEY} and is_ordered and id is distinct from $4::text limit 1) union all (${dead} and id is distinct from $4::text limit 1)`,
    );
    this.parkedCount = statement(`select count(*) as count from ${held} where ${OF_KEY} and ${IS_WAITING}`);
    this.releaseNext = statement(
      `update ${held} set due_at = ${NOW_MS} where service = $1 and id = (select id from ${held} where ${OF_KEY} and ${IS_WAITING} order by sequence limit 1)
       and not exists (select 1 from ${held} where ${OF_KEY} and is_ordered and not ${IS_WAITING}) and not exists (${dead})`,
    );
  }
}

/** Statements on held messages outside transactions. Service is $1; destination and lanes are $2 and $3 where one takes them. */
export class HeldReaderSql {
  readonly claim: Statement;
  readonly giveBack: Statement;
  readonly blockedKeys: Statement;
  readonly nextDueAt: Statement;
  readonly get: Statement;
  readonly list: Statement;
  readonly count: Statement;

  constructor(schema: string) {
    const held = `${schema}.pr_held`;
    const nextNumber = `nextval('${schema.replaceAll("'", "''")}.pr_held_sequence')`;
    // What another one claims now is its own: nobody waits. Materialized, because a subquery may be run again for each row that it is joined with,
    // and would then find others behind the ones it has locked.
    this.claim = statement(
      `with due as materialized (select id from ${held} where service = $1 and destination = $2 and due_at <= ${NOW_MS} and claimed_until <= ${NOW_MS} and ${IN_LANES}
         order by due_at, sequence limit $4 for update skip locked)
       update ${held} h set fence = ${nextNumber}, claimed_until = ${NOW_MS} + $5::bigint from due where h.service = $1 and h.id = due.id
       returning ${`${NAMES}, sequence, fence`.replaceAll(/\w+/g, "h.$&")}`,
    );
    this.giveBack = statement(
      `update ${held} h set fence = 0, claimed_until = 0 from unnest($2::text[], $3::bigint[]) as g (id, fence) where h.service = $1 and h.id = g.id and h.fence = g.fence`,
    );
    this.blockedKeys = statement(
      `select key from ${held} where service = $1 and destination = $2 and key is not null and is_ordered and ${IN_LANES}
       union select key from ${schema}.pr_dead_letters where service = $1 and destination = $2 and key is not null and is_ordered and list = 'failed' and ${IN_LANES}`,
    );
    // In two, so that each finds its first row in an index: claimed ones are few.
    this.nextDueAt = statement(
      `select least((select due_at from ${held} where service = $1 and due_at is not null and claimed_until = 0 order by due_at limit 1),
       (select min(greatest(due_at, claimed_until)) from ${held} where service = $1 and due_at is not null and claimed_until > 0)) as at`,
    );
    this.get = statement(`select ${NAMES} from ${held} where service = $1 and id = $2`);
    this.list = statement(`select ${NAMES} from ${held} where service = $1 and ($2::text is null or purpose = $2) and ${pageClause(3)}`);
    this.count = statement(`select purpose, count(*) as count from ${held} where service = $1 group by purpose`);
  }
}
