import type { InboxEntry, InboxReader, InboxVerdict, InboxWriter } from "../../ports/inbox.ts";
import { toText } from "./column-text.ts";
import { InboxChecks } from "./inbox-checks.ts";
import { NOW_MS, statement } from "./statement.ts";
import type { Run, Statement } from "./statement.ts";
import type { StorePlace } from "./store-place.ts";

/** What was handled, by handler and message id. */
export class InboxTable {
  readonly #service: string;
  readonly #add: Statement;
  readonly #addNew: Statement;
  readonly #findAll: Statement;
  readonly #count: Statement;

  constructor({ service, schema }: StorePlace) {
    this.#service = service;
    // Of two that record the same, the second waits here until the first has committed or not. One statement, because the next may be on its way, and fail.
    this.#add = statement(
      `insert into ${schema}.pr_inbox as i (service, handler, message_id, body_hash, at) values ($1, $2, $3, $4, ${NOW_MS})
        on conflict (service, handler, message_id) do update set body_hash = i.body_hash returning i.body_hash, i.xmax = 0 as is_new`,
    );
    this.#addNew = statement(
      `insert into ${schema}.pr_inbox (service, handler, message_id, body_hash, at)
       select $1, m.handler, m.id, m.hash, ${NOW_MS} from unnest($2::text[], $3::text[], $4::text[]) as m (handler, id, hash)`,
    );
    // Lateral: by the key for each, however few rows there were when it was planned. The limit is how many they are: without it each call would be planned anew,
    // which costs ten times the answer, because a plan for two is cheaper than one for an unknown number.
    this.#findAll =
      statement(`select m.at, i.body_hash from (select * from unnest($2::text[], $3::text[]) with ordinality limit $4) as m (handler, id, at),
      lateral (select body_hash from ${schema}.pr_inbox where service = $1 and handler = m.handler and message_id = m.id limit 1) i`);
    this.#count = statement(`select count(*) as count from ${schema}.pr_inbox where service = $1`);
  }

  writer(run: Run): InboxWriter {
    return {
      record: async (entry) => {
        const { body_hash: bodyHash, is_new: isNew } = (await run(this.#add, ...this.#keyOf(entry), entry.bodyHash)).rows[0]!;
        if (isNew === true) return "first";
        return bodyHash === entry.bodyHash ? "repeated" : "conflicting";
      },
    };
  }

  /** The statement that adds messages which should be new, and its values: it fails where one is not. */
  additionOf(entries: readonly InboxEntry[]): readonly [Statement, ...unknown[]] {
    // In one order for all: two that add the same never wait for each other in a circle.
    const inOrder = entries.toSorted((left, right) => (left.messageId < right.messageId ? -1 : 1));
    const column = (of: (entry: InboxEntry) => string): string[] => inOrder.map(of);
    const ids = column(({ messageId }) => toText(messageId));
    return [this.#addNew, this.#service, column(({ handler }) => toText(handler)), ids, column(({ bodyHash }) => bodyHash)];
  }

  reader(run: Run): InboxReader {
    const checks = new InboxChecks((entries) => this.#verdicts(run, entries));
    return {
      isShared: true,
      check: (entry) => checks.of(entry),
      count: async () => Number((await run(this.#count, this.#service)).rows[0]!["count"]),
    };
  }

  async #verdicts(run: Run, entries: readonly InboxEntry[]): Promise<readonly InboxVerdict[]> {
    const [handlers, ids] = [entries.map(({ handler }) => toText(handler)), entries.map(({ messageId }) => toText(messageId))];
    const verdicts = entries.map((): InboxVerdict => "first");
    for (const { at, body_hash: bodyHash } of (await run(this.#findAll, this.#service, handlers, ids, entries.length)).rows) {
      const index = Number(at) - 1;
      verdicts[index] = bodyHash === entries[index]!.bodyHash ? "repeated" : "conflicting";
    }
    return verdicts;
  }

  #keyOf({ handler, messageId }: InboxEntry): readonly [string, string, string] {
    return [this.#service, toText(handler), toText(messageId)];
  }
}
