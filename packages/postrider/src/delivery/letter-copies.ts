import type { Outgoing } from "../envelope/envelope.ts";
import type { DeadLetter } from "../ports/dead-letters.ts";
import type { Destination, Transport } from "../ports/transport.ts";

/** Writes copies of a destination's dead letters to its broker, where the app asks for them. */
export class LetterCopier {
  readonly #transport: Transport;
  readonly #destination: Destination;

  constructor(transport: Transport, destination: Destination) {
    this.#transport = transport;
    this.#destination = destination;
  }

  /** What must leave with a letter: one copy, or nothing. What expired or never left is no failure of a message. */
  of(letter: DeadLetter): readonly Outgoing[] {
    const { letterCopies } = this.#transport;
    if (letterCopies === undefined || letter.list === "expired" || letter.list === "unsent") return [];
    return [letterCopies.copyOf(letter, this.#destination.kind)];
  }

  /** Sends a letter's copy at once, for services without an outbox; whether there was one. Resolves once the broker has it. */
  async send(letter: DeadLetter, deadlineMs: number): Promise<boolean> {
    const copies = this.of(letter);
    if (copies.length === 0) return false;
    const [failed] = await this.#transport.send(copies, { deadlineMs });
    if (failed !== undefined) throw failed;
    return true;
  }
}
