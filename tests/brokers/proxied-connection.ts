import type { Socket } from "node:net";

/** Which way bytes go: from the client to the server, or back. */
export type Direction = "toServer" | "toClient";

/** What is wrong with the way at this moment. */
export interface Faults {
  readonly delayMs: () => number;
  readonly isHeld: () => boolean;
  /** Asked for every chunk before it passes: behind how many of its bytes the connection breaks. */
  readonly breakAt: (length: number, direction: Direction) => number | undefined;
}

/** A client's connection and the one to the server that it stands for. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #faults: Faults;
  readonly #lanes: readonly ByteLane[];
  #isBroken = false;

  constructor(client: Socket, server: Socket, faults: Faults) {
    this.#client = client;
    this.#server = server;
    this.#faults = faults;
    const onBreak = (): void => this.reset();
    this.#lanes = [
      new ByteLane(client, server, { faults, direction: "toServer", onBreak }),
      new ByteLane(server, client, { faults, direction: "toClient", onBreak }),
    ];
    for (const socket of [client, server]) socket.on("error", () => this.#broken()).once("close", () => this.#closed());
  }

  /** Lets pass what was held. */
  flush(): void {
    if (this.#isBroken) this.reset();
    for (const lane of this.#lanes) lane.flush();
  }

  reset(): void {
    for (const lane of this.#lanes) lane.drop();
    for (const socket of [this.#client, this.#server]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  /** One end broke. In a black hole the other hears of that only when it is over. */
  #broken(): void {
    this.#isBroken = true;
    if (!this.#faults.isHeld()) this.reset();
  }

  #closed(): void {
    if (this.#client.destroyed) this.#server.destroy();
    // Without an error both directions have ended and all bytes have passed.
    else if (!this.#isBroken) this.#client.destroy();
  }
}

interface LaneOptions {
  readonly faults: Faults;
  readonly direction: Direction;
  readonly onBreak: () => void;
}

interface Chunk {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

// Beyond that the sender is made to wait, as a network's buffers would: a black hole must not take all memory.
const MAX_HELD_BYTES = 1 << 20;

/** One direction of a connection: bytes in order, each chunk when it is due. */
class ByteLane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: LaneOptions;
  readonly #chunks: Chunk[] = [];
  #heldBytes = 0;
  #hasEnded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, options: LaneOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.once("end", () => {
      this.#hasEnded = true;
      this.flush();
    });
    to.on("drain", () => from.resume());
  }

  /** Passes on what is due, and comes back when the next chunk is. */
  flush(): void {
    clearTimeout(this.#timer);
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (this.#options.faults.isHeld()) return;
      const waitMs = chunk.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        return;
      }
      this.#chunks.shift();
      this.#heldBytes -= chunk.bytes.length;
      if (!this.#pass(chunk.bytes)) return;
    }
    if (this.#hasEnded && !this.#options.faults.isHeld()) this.#to.end();
    else if (!this.#to.writableNeedDrain) this.#from.resume();
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#chunks.length = 0;
  }

  #take(bytes: Buffer): void {
    this.#chunks.push({ bytes, dueMs: performance.now() + this.#options.faults.delayMs() });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#from.pause();
    this.flush();
  }

  /** Answers whether the connection is whole behind it. */
  #pass(bytes: Buffer): boolean {
    const { faults, direction, onBreak } = this.#options;
    const breakAt = faults.breakAt(bytes.length, direction);
    if (breakAt === undefined) {
      if (!this.#to.write(bytes)) this.#from.pause();
      return true;
    }
    // The part must have left before the RST, or the other side never sees a torn frame.
    this.#to.write(bytes.subarray(0, breakAt), onBreak);
    return false;
  }
}
