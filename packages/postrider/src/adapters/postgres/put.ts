/** A statement that adds a row of `service` and `names`, or replaces the one of the same id. `reset` are columns that are as new then. */
export function putSql(table: string, names: string, reset = ""): string {
  const all = `service, ${names}`;
  const values = all.split(",").map((_, at) => `$${at + 1}`);
  return `insert into ${table} (${all}) values (${values.join(", ")}) ${replacing(names + reset)}`;
}

/** The end of a statement that adds a row: one of the same id is replaced. */
export function replacing(names: string): string {
  return `on conflict (service, id) do update set (${names}) = (${names.replaceAll(/\w+/g, "excluded.$&")})`;
}
