const HIDDEN = "[redacted]";

/**
 * A copy of a decoded body without what must not be shown: for logs, traces and consoles.
 *
 * A name such as `email` hides every field of that name, at any depth; a path such as `customer.email` only that one, also within lists.
 * What is hidden is hidden whole, whatever it holds.
 */
export function redact(body: unknown, sensitive: readonly string[]): unknown {
  if (sensitive.length === 0) return body;
  return copied(body, "", new Set(sensitive));
}

function copied(value: unknown, path: string, sensitive: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => copied(item, path, sensitive));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => {
    const own = path === "" ? name : `${path}.${name}`;
    return [name, sensitive.has(name) || sensitive.has(own) ? HIDDEN : copied(inner, own, sensitive)];
  });
  return Object.fromEntries(entries);
}
