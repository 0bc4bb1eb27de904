/** Reasons, numbered in the order in which they are first given. */
export class Footnotes {
  readonly #numbers = new Map<string, number>();

  /** The mark of a cell that says no. */
  mark(reason: string): string {
    const number = this.#numbers.get(reason) ?? this.#numbers.size + 1;
    this.#numbers.set(reason, number);
    return `–[^${number}]`;
  }

  lines(): readonly string[] {
    return [...this.#numbers].map(([reason, number]) => `[^${number}]: ${reason}`);
  }
}
