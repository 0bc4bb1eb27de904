/** Conditions that must all hold, for databases whose placeholders are question marks. */
export class Clause<Value> {
  readonly #parts: string[] = [];
  readonly #values: Value[] = [];

  constructor(part: string, value: Value) {
    this.and(part, value);
  }

  /** Adds a condition, unless a value of it is not given. */
  and(part: string, ...values: readonly (Value | undefined)[]): this {
    if (values.includes(undefined)) return this;
    this.#parts.push(part);
    this.#values.push(...(values as readonly Value[]));
    return this;
  }

  get sql(): string {
    return this.#parts.join(" and ");
  }

  /** In the order of the placeholders. */
  get values(): readonly Value[] {
    return this.#values;
  }
}

/** A statement that adds a row of `service` and `names`, or replaces the one of the same id. */
export function replaceSql(table: string, names: string): string {
  const all = `service, ${names}`;
  return `replace into ${table} (${all}) values (${all.replaceAll(/\w+/g, "?")})`;
}

/** A condition on the column `lane`. */
export function inLanes(lanes: readonly number[] | undefined): string {
  if (lanes === undefined) return "true";
  return lanes.length === 0 ? "false" : `lane in (${lanes.map((lane) => Math.trunc(lane)).join(", ")})`;
}
