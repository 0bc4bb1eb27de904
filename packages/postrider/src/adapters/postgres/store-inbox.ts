import type { InboxEntry, InboxReader, InboxVerdict, InboxWriter } from "../../ports/inbox.ts";
import { toText } from "./column-text.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import type { StorePlace } from "./store-place.ts";

/** What was handled, by handler and message id. */
export class InboxTable {
  readonly #service: string;
  readonly #add: Statement;
  readonly #find: Statement;
  readonly #count: Statement;

  constructor({ service, schema }: StorePlace) {
    this.#service = service;
    // Of two that record the same, the second waits here until the first has committed or not.
    this.#add = statement(
      `insert into ${schema}.pr_inbox (service, handler, message_id, body_hash, at) values ($1, $2, $3, $4, ${NOW_MS}) on conflict do nothing`,
    );
    this.#find = statement(`select body_hash from ${schema}.pr_inbox where service = $1 and handler = $2 and message_id = $3`);
    this.#count = statement(`select count(*) as count from ${schema}.pr_inbox where service = $1`);
  }

  writer(run: Run): InboxWriter {
    return {
      record: async (entry) => {
        const { rowCount } = await run(this.#add, ...this.#keyOf(entry), entry.bodyHash);
        return rowCount === 1 ? "first" : this.#verdict(run, entry);
      },
    };
  }

  reader(run: Run): InboxReader {
    return {
      check: (entry) => this.#verdict(run, entry),
      count: async () => Number((await run(this.#count, this.#service)).rows[0]!["count"]),
    };
  }

  async #verdict(run: Run, entry: InboxEntry): Promise<InboxVerdict> {
    const found = (await run(this.#find, ...this.#keyOf(entry))).rows[0];
    if (found === undefined) return "first";
    return found["body_hash"] === entry.bodyHash ? "repeated" : "conflicting";
  }

  #keyOf({ handler, messageId }: InboxEntry): readonly [string, string, string] {
    return [this.#service, toText(handler), toText(messageId)];
  }
}
