/** A value that every store can bind. `undefined` is not one: pass null. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array;

/** One row: column name → value. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** Portable SQL with `?` placeholders, on every store. */
export interface Sql {
  /** Runs a statement that changes rows. */
  run(sql: string, ...parameters: readonly SqlValue[]): Promise<{ readonly changes: number }>;
  /** The first row, or undefined. */
  get<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined>;
  /** All rows. */
  all<Row extends object = SqlRow>(sql: string, ...parameters: readonly SqlValue[]): Promise<Row[]>;
}
