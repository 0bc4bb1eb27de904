import type { InboxEntry, InboxReader, InboxVerdict, InboxWriter } from "../../ports/inbox.ts";
import { toBytes } from "./columns.ts";
import { NOW_MS } from "./place.ts";
import type { Run } from "./place.ts";

// Of two that record the same, the second waits until the first has committed or not. Something is always changed, because a row found as it should be
// counts as one that was added where the client asks for rows found; and no error is provoked, because one leaves a shared lock behind, and three rivals deadlock on those.
const RECORD = `insert into pr_inbox (service, handler, message_id, body_hash, at) values (?, ?, ?, ?, ${NOW_MS}) on duplicate key update seen = seen + 1`;

/** The inbox inside a transaction. */
export function inboxWriter(service: Buffer, run: Run): InboxWriter {
  return {
    record: async (entry) => {
      const { changes } = await run(RECORD, service, toBytes(entry.handler), toBytes(entry.messageId), toBytes(entry.bodyHash));
      return changes === 1 ? "first" : verdict(service, run, entry);
    },
  };
}

/** The inbox outside transactions. */
export function inboxReader(service: Buffer, run: Run): InboxReader {
  return {
    check: (entry) => verdict(service, run, entry),
    count: async () => Number((await run("select count(*) as count from pr_inbox where service = ?", service)).rows[0]!["count"]),
  };
}

async function verdict(service: Buffer, run: Run, { handler, messageId, bodyHash }: InboxEntry): Promise<InboxVerdict> {
  const sql = "select body_hash from pr_inbox where service = ? and handler = ? and message_id = ?";
  const found = (await run(sql, service, toBytes(handler), toBytes(messageId))).rows[0];
  if (found === undefined) return "first";
  return toBytes(bodyHash).equals(found["body_hash"] as Buffer) ? "repeated" : "conflicting";
}
