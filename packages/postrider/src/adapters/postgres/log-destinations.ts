import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Destination } from "../../ports/transport.ts";
import type { PgQueryable } from "./connection.ts";
import { literal } from "./names.ts";

/** A row of `pr_destinations`. */
export interface KnownDestination {
  readonly id: number;
  readonly name: string;
  readonly kind: Destination["kind"];
  readonly lanes: number;
  /** The object id of its sequence of positions. */
  readonly sequence: number;
}

/** Which destinations there are, as they were when they were looked up: none is ever removed or changed. */
export class Destinations {
  readonly #connections: PgQueryable;
  readonly #schema: string;
  readonly #known = new Map<string, KnownDestination>();

  /** `schema` is quoted. */
  constructor(connections: PgQueryable, schema: string) {
    this.#connections = connections;
    this.#schema = schema;
  }

  /** What is known without asking. */
  peek(name: string): KnownDestination | undefined {
    return this.#known.get(name);
  }

  /** Looks up what is not known yet. */
  async learn(names: Iterable<string>): Promise<void> {
    const unknown = [...new Set(names)].filter((name) => !this.#known.has(name));
    if (unknown.length === 0) return;
    for (const found of await readDestinations(this.#connections, this.#schema, unknown)) this.#known.set(found.name, found);
  }

  /** @throws PR_DESTINATION_UNKNOWN */
  async get(name: string): Promise<KnownDestination> {
    await this.learn([name]);
    const found = this.#known.get(name);
    if (found === undefined) throw unknownDestination(name);
    return found;
  }
}

/** The destinations of these names, or all, by name. */
export async function readDestinations(
  client: PgQueryable,
  schema: string,
  names: readonly string[] | undefined,
): Promise<KnownDestination[]> {
  const sequence = `to_regclass(format('%s.%I', ${literal(schema)}, 'pr_positions_' || id))::oid::bigint`;
  const { rows } = await client.query({
    text: `select id, name, kind, lanes, ${sequence} as sequence from ${schema}.pr_destinations where $1::text[] is null or name = any ($1) order by name`,
    values: [names ?? null],
  });
  return rows.map((row) => ({ ...(row as unknown as KnownDestination), sequence: Number(row["sequence"]) }));
}

/** The error for a destination that the database does not have. */
export function unknownDestination(name: string): PostriderError {
  return fail("PR_DESTINATION_UNKNOWN", { transport: "postgres", destination: name });
}
