import type { InboxEntry, InboxReader, InboxVerdict, InboxWriter } from "../../ports/inbox.ts";
import type { Connection } from "./connection.ts";
import type { StoreAccess, StorePlace } from "./place.ts";

/** The inbox inside a transaction. The write lock is held, so a rival has either committed before or comes after. */
export class InboxTable implements InboxWriter {
  readonly #place: StorePlace;
  readonly #connection: Connection;

  constructor(place: StorePlace, connection: Connection) {
    this.#place = place;
    this.#connection = connection;
  }

  record(entry: InboxEntry): InboxVerdict {
    const { service, clock } = this.#place;
    const sql = "insert into pr_inbox (service, handler, message_id, body_hash, at) values (?, ?, ?, ?, ?) on conflict do nothing";
    const added = this.#connection.run(sql, service, entry.handler, entry.messageId, entry.bodyHash, clock.now());
    return added === 1 ? "first" : known(this.#connection, service, entry);
  }
}

/** The inbox outside transactions. */
export function inboxReader({ service, reader }: StoreAccess): InboxReader {
  return {
    check: (entry) => known(reader, service, entry),
    count: () => Promise.resolve(reader.get<{ count: number }>("select count(*) as count from pr_inbox where service = ?", service)!.count),
  };
}

function known(connection: Connection, service: string, { handler, messageId, bodyHash }: InboxEntry): InboxVerdict {
  const sql = "select body_hash as bodyHash from pr_inbox where service = ? and handler = ? and message_id = ?";
  const found = connection.get<{ bodyHash: string }>(sql, service, handler, messageId);
  if (found === undefined) return "first";
  return found.bodyHash === bodyHash ? "repeated" : "conflicting";
}
