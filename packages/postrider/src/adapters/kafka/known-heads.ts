/** What the headers of one sender's messages of one contract begin with, and what that means. */
export interface KnownHead {
  /** From the number of headers on. */
  readonly bytes: Buffer;
  /** How many headers the record has. */
  readonly count: number;
  /** How many of them these are. */
  readonly places: number;
  /** The attributes that they give: all that an envelope needs, but id and time. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

const MAX_KNOWN = 64;
const MAX_FORGOTTEN = 4; // somebody puts what is different in each message before the id: nothing to know again

/**
 * Knows beginnings of headers again, as a whole: one comparison of bytes stands for half of a message's attributes.
 *
 * Only what a message that was found good began with is remembered, so it need not be read again.
 */
export class KnownHeads {
  #known: KnownHead[] = [];
  #last: KnownHead | undefined;
  #forgotten = 0;

  /** The one that stands at a place. */
  at(buffer: Buffer, at: number): KnownHead | undefined {
    if (this.#last !== undefined && isAt(this.#last.bytes, buffer, at)) return this.#last;
    for (const head of this.#known) if (head !== this.#last && isAt(head.bytes, buffer, at)) return (this.#last = head);
    return undefined;
  }

  learn(head: KnownHead): void {
    if (this.#forgotten >= MAX_FORGOTTEN) return;
    if (this.#known.length >= MAX_KNOWN) {
      this.#known = [];
      this.#last = undefined;
      if (++this.#forgotten >= MAX_FORGOTTEN) return;
    }
    this.#known.push(head);
    this.#last = head;
  }
}

function isAt(bytes: Buffer, buffer: Buffer, at: number): boolean {
  const end = at + bytes.length;
  // Heads differ near their ends, and most by a byte: what does not stand there costs no call.
  return end <= buffer.length && bytes[bytes.length - 1] === buffer[end - 1] && buffer.compare(bytes, 0, bytes.length, at, end) === 0;
}
