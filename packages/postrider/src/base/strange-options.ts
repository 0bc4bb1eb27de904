/**
 * The mistakes of an options object that TypeScript would have found: it is none, or has names that mean nothing here and would be ignored in silence.
 *
 * `known` has every name that may be there; typed `Record<keyof Options, true>` it cannot fall behind the options.
 */
export function strangeOptions(what: string, options: unknown, known: Readonly<Record<string, true>>): string[] {
  if (options === undefined) return [];
  if (typeof options !== "object" || options === null) return [`${what} must be an object`];
  return Object.keys(options)
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => `${what} has no option "${name}" (it has ${Object.keys(known).join(", ")})`);
}
