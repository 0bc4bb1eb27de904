/** What an interception puts in place of members. */
export interface Replacements {
  /** Methods that are called instead. */
  readonly methods?: Readonly<Record<string, unknown>>;
  /** Members that are wrapped whenever they are read. */
  readonly parts?: Readonly<Record<string, (part: never) => unknown>>;
}

const originals = new WeakMap<object, object>();

/** The same object, but for some of its members. Everything else, private state included, stays the object's own. */
export function intercept<Target extends object>(target: Target, { methods = {}, parts = {} }: Replacements): Target {
  const proxy = new Proxy(target, {
    get(inner, name) {
      const key = String(name);
      if (Object.hasOwn(methods, key)) return methods[key];
      const value: unknown = Reflect.get(inner, name, inner);
      if (value !== undefined && Object.hasOwn(parts, key)) return parts[key]!(value as never);
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });
  originals.set(proxy, target);
  return proxy;
}

/** What was intercepted, however often; the object itself if it never was. */
export function originalOf<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  const original = originals.get(value);
  return original === undefined ? value : originalOf(original as Value);
}

/** Does something once a value is there, at once where it is there already; the value stays what it is. */
export function onceThere<Value>(value: Value, step: () => void): Value {
  if (value instanceof Promise)
    return value.then((settled: unknown) => {
      step();
      return settled;
    }) as Value;
  step();
  return value;
}
