import type { Outgoing } from "../../envelope/envelope.ts";
import { kindOfDestination } from "../../envelope/outgoing.ts";
import type { OutboxClaim, OutboxReader, OutboxRow, OutboxWriter } from "../../ports/outbox.ts";
import { messageValues, outgoingOf } from "../../rows/columns.ts";
import { COLUMNS, digestOf, int, toBytes } from "./columns.ts";
import type { MysqlValue } from "./connection.ts";
import { keyLockOf, lock, NOW_MS } from "./place.ts";
import type { Run, Transact } from "./place.ts";
import { addLetter } from "./store-dead-letters.ts";

const NAMES = "service, id, aggregatetype, aggregateid, key_digest, type, may_repeat, head, headers, payload, is_text, is_event";
const PLACEHOLDERS = `(${NAMES.replaceAll(/\w+/g, "?")})`;
const ROWS_PER_STATEMENT = 100; // a statement's placeholders are limited to 65 535

/**
 * The outbox inside a transaction, with the columns that Debezium's event router reads.
 *
 * A sequence's order is not the order of commits. So whoever appends holds a lock of each key until its commit, which makes the two orders one within a key.
 */
export function outboxWriter(service: Buffer, run: Run): OutboxWriter {
  return {
    append: async (messages) => {
      const keyed = messages.filter(({ envelope }) => envelope.partitionkey !== undefined);
      await lock(
        run,
        service,
        "outboxKey",
        keyed.map(({ destination, envelope }) => keyLockOf(destination, envelope.partitionkey!)),
      );
      for (let from = 0; from < messages.length; from += ROWS_PER_STATEMENT) {
        const part = messages.slice(from, from + ROWS_PER_STATEMENT);
        const rows = part.map(() => PLACEHOLDERS).join(", ");
        await run(`insert into pr_outbox (${NAMES}) values ${rows}`, ...part.flatMap((message) => valuesOf(service, message)));
      }
    },
  };
}

/** The outbox outside transactions. */
export function outboxReader(service: Buffer, run: Run, transact: Transact, onAppended: OutboxReader["onAppended"]): OutboxReader {
  const ours = "service = ? and (sequence, fence) in";
  const pairs = (rows: readonly OutboxRow[]): string =>
    `(${rows.map(({ sequence, fence }) => `(${int(sequence)}, ${int(fence)})`).join(", ")})`;
  return {
    claim: async (options) => {
      if (
        (await run("select 1 as one from pr_outbox where service = ? and is_event = ? limit 1", service, isEvent(options.kind))).rows
          .length === 0
      )
        return [];
      return transact((own) => claim(service, own, options));
    },
    done: async (rows) => {
      if (rows.length > 0) await run(`delete from pr_outbox where ${ours} ${pairs(rows)}`, service);
    },
    giveBack: async (rows, retryAt) => {
      const sql = `update pr_outbox set fence = fence + 1, attempts = attempts + 1, free_at = ?, owner = null where ${ours} ${pairs(rows)}`;
      if (rows.length > 0) await run(sql, Math.round(retryAt), service);
    },
    bury: (row, letter) =>
      transact(async (own) => {
        if ((await own(`delete from pr_outbox where ${ours} ${pairs([row])}`, service)).changes !== 1) return false;
        await addLetter(service, own, letter);
        return true;
      }),
    depth: async () => Number((await run("select count(*) as count from pr_outbox where service = ?", service)).rows[0]!["count"]),
    onAppended,
  };
}

/** One claim of a service at a time: each sees what the one before it has leased. No row of a key is claimed while another one of it is out or put off. */
async function claim(service: Buffer, run: Run, options: OutboxClaim): Promise<readonly OutboxRow[]> {
  await lock(run, service, "outboxClaim", [0]);
  const taken = `select distinct aggregatetype, key_digest from pr_outbox where service = ? and is_event = ? and free_at > ${NOW_MS}`;
  const sql = `select o.sequence, o.fence + 1 as fence, o.attempts, o.aggregatetype as destination, o.may_repeat, o.head, o.headers, o.payload as body, o.is_text
    from pr_outbox o left join (${taken}) t on t.aggregatetype = o.aggregatetype and t.key_digest = o.key_digest
    where o.service = ? and o.is_event = ? and o.free_at <= ${NOW_MS} and t.key_digest is null order by o.sequence limit ${int(options.limit)}`;
  const { rows } = await run(sql, service, isEvent(options.kind), service, isEvent(options.kind));
  if (rows.length === 0) return [];
  const sequences = rows.map((row) => int(Number(row["sequence"]))).join(", ");
  const lease = `update pr_outbox set fence = fence + 1, free_at = ${NOW_MS} + ${int(options.leaseMs)}, owner = ? where service = ? and sequence in (${sequences})`;
  await run(lease, toBytes(options.owner), service);
  return rows.map((row) => {
    const [sequence, fence, attempts] = [Number(row["sequence"]), Number(row["fence"]), Number(row["attempts"])];
    return { sequence, fence, attempts, message: outgoingOf(COLUMNS, row) };
  });
}

const isEvent = (kind: OutboxClaim["kind"]): number => Number(kind === "event");

function valuesOf(service: Buffer, message: Outgoing): readonly MysqlValue[] {
  const { destination, mayRepeat, envelope } = message;
  const key = envelope.partitionkey ?? envelope.id;
  const place = [service, toBytes(envelope.id), toBytes(destination), toBytes(key), digestOf(key), toBytes(envelope.type)];
  return [...place, Number(mayRepeat), ...messageValues(COLUMNS, message), isEvent(kindOfDestination(destination))];
}
