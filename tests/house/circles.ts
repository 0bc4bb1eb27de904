import type { Import } from "./imports.ts";
import type { Violation } from "./source.ts";

/** Files that import each other in a circle, type imports counted: one violation per circle, which names all its files. */
export function circleViolations(imports: readonly Import[]): readonly Violation[] {
  const graph = new Map<string, Set<string>>();
  for (const { from, target, isUrl } of imports) {
    if (target === undefined || isUrl) continue;
    const targets = graph.get(from) ?? new Set();
    graph.set(from, targets.add(target));
  }
  return circlesOf(graph).map((files) => ({ file: files[0] ?? "", line: 1, message: `import circle: ${files.join(" ↔ ")}` }));
}

/** The strongly connected parts of more than one file, by Tarjan's algorithm, and the files that import themselves. */
function circlesOf(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly (readonly string[])[] {
  const search = new Search(graph);
  for (const file of graph.keys()) search.visit(file);
  return search.circles;
}

class Search {
  readonly circles: (readonly string[])[] = [];
  readonly #graph: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #order = new Map<string, number>();
  readonly #open: string[] = [];

  constructor(graph: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#graph = graph;
  }

  /** Answers the lowest file in visiting order that `file` leads back to. */
  visit(file: string): number {
    const known = this.#order.get(file);
    if (known !== undefined) return this.#open.includes(file) ? known : Number.POSITIVE_INFINITY;
    const order = this.#order.size;
    this.#order.set(file, order);
    this.#open.push(file);
    let lowest = order;
    for (const target of this.#graph.get(file) ?? []) lowest = Math.min(lowest, this.visit(target));
    if (lowest === order) this.#close(file);
    return lowest;
  }

  #close(file: string): void {
    const members = this.#open.splice(this.#open.indexOf(file));
    if (members.length > 1 || this.#graph.get(file)?.has(file)) this.circles.push(members.toSorted());
  }
}
