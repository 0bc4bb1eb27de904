import type { Clock } from "../../base/clock.ts";
import type { WireBody } from "../../envelope/envelope.ts";
import type { Columns } from "../../rows/columns.ts";
import type { Connection } from "./connection.ts";

/** Where the parts of one service's store live. */
export interface StorePlace {
  readonly service: string;
  readonly file: string;
  readonly clock: Clock;
  /** The writer's; used inside turns only. */
  readonly connection: Connection;
}

/** What the parts of a store outside transactions stand on. */
export interface StoreAccess extends StorePlace {
  /** Committed rows. */
  readonly reader: Connection;
  /** Writes something of our own, that is not expected to fail. A volatile write resolves with its commit, any other once it is on the disk. */
  write<Result>(work: () => Result, options?: { readonly isVolatile: boolean }): Promise<Result>;
}

/** How SQLite holds rows: texts and bytes as they are. */
export const COLUMNS: Columns<WireBody> = {
  keyNames: ["key"],
  bodyNames: ["body"],
  text: (value) => value,
  textOf: (column) => column as string,
  flag: Number,
  key: (key) => [key ?? null],
  body: (body) => [body],
  bodyOf: (row) => row["body"] as WireBody,
};
