import type { FastifyInstance } from "fastify";

interface Address {
  readonly segments: readonly string[];
  readonly methods: readonly string[];
}

/** Knows which methods an address has: a router knows only whether it has this one. */
export class Addresses {
  readonly #known: Address[] = [];

  /** From here on every route that is added is known. */
  constructor(app: FastifyInstance) {
    app.addHook("onRoute", ({ url, method }) => void this.#known.push({ segments: url.split("/"), methods: [method].flat() }));
  }

  /** The methods of a path, in the order of the alphabet; none where nothing is there. */
  methodsOf(url: string): string[] {
    const path = url.replace(/[?;#].*$/s, "").split("/");
    return [...new Set(this.#known.filter(({ segments }) => fits(segments, path)).flatMap(({ methods }) => methods))].toSorted();
  }
}

/** The shop's routes have plain segments, and whole ones that are parameters. */
function fits(segments: readonly string[], path: readonly string[]): boolean {
  return segments.length === path.length && segments.every((one, at) => (one.startsWith(":") ? path[at] !== "" : one === path[at]));
}
