import { createHash } from "node:crypto";
import type { PgClient, PgConnections, PgQuery, PgResult } from "./connection.ts";
import { literal, quoted } from "./names.ts";

/** Where a log lives: a schema of a database. */
export class LogPlace {
  /** The schema's name, quoted. */
  readonly schema: string;
  readonly connections: PgConnections;
  /** What notifications of this schema go by. */
  readonly channel: string;
  readonly #key: string;

  constructor(connections: PgConnections, schema: string) {
    this.connections = connections;
    this.schema = quoted(schema);
    // Names of statements and channels end at 63 bytes, a schema's may have as many.
    this.#key = createHash("sha256").update(schema).digest("hex").slice(0, 12);
    this.channel = `postrider_log_${this.#key}`;
  }

  /** Runs a statement that is prepared once per connection under `name`. `text` must be the same each time. */
  run(name: string, text: string, values: unknown[]): Promise<PgResult> {
    return this.connections.query(this.statement(name, text, values));
  }

  /** The same as a statement for a connection of the caller's. */
  statement(name: string, text: string, values: unknown[]): PgQuery {
    return { name: `pr_${this.#key}_${name}`, text, values };
  }

  /** Runs `work` in one transaction; rolls back when it throws. */
  inTransaction<Result>(work: (client: PgClient) => Promise<Result>): Promise<Result> {
    return this.connections.lend(async (client, lease) => {
      try {
        await client.query({ text: "begin isolation level read committed" });
        const result = await work(client);
        await client.query({ text: "commit" });
        return result;
      } catch (error) {
        await client.query({ text: "rollback" }).catch(() => void (lease.isBroken = true));
        throw error;
      }
    });
  }

  /** SQL for the first key of one of our advisory locks; see {@link LOG_PART}. */
  lockClass(what: "append" | "lane"): string {
    return `hashtext(${literal(`${this.schema}.${what}`)})`;
  }
}
