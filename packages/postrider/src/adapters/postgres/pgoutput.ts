/** What one message of the stream says, as far as an insert-only publication says it. */
export type PgOutputMessage =
  | { readonly is: "begin"; readonly xid: number }
  | { readonly is: "insert"; readonly row: InsertedRow }
  | { readonly is: "commit"; readonly end: bigint }
  | { readonly is: "other" };

const OTHER: PgOutputMessage = { is: "other" };
const NULL = 0x6e;
const UNCHANGED = 0x75;
const BYTES = 0x62;
const TRUE = 0x74;

/**
 * Decodes the messages of PostgreSQL's own output plug-in, protocol version 1.
 *
 * An inserted row is read where it lies: it may be looked at until the next message is decoded, and whoever wants a column takes it out.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgOutputDecoder {
  readonly #relations = new Map<number, { readonly is: "insert"; readonly row: InsertedRow }>();

  /** @throws RangeError for what is cut short */
  decode(message: Buffer): PgOutputMessage {
    const kind = String.fromCharCode(message.readUInt8(0));
    if (kind === "B") return { is: "begin", xid: message.readUInt32BE(17) };
    if (kind === "C") return { is: "commit", end: message.readBigInt64BE(10) };
    if (kind === "I") return this.#insert(message);
    if (kind === "R") this.#relation(new Cursor(message, 1));
    return OTHER;
  }

  #relation(bytes: Cursor): void {
    const id = bytes.uint32();
    const [schema, table] = [bytes.text(), bytes.text()];
    const count = bytes.skip(1).int16();
    const columns = new Map<string, number>();
    for (let at = 0; at < count; at++) {
      columns.set(bytes.skip(1).text(), at);
      bytes.skip(8);
    }
    this.#relations.set(id, { is: "insert", row: new InsertedRow(schema, table, columns) });
  }

  #insert(message: Buffer): PgOutputMessage {
    const known = this.#relations.get(message.readUInt32BE(1));
    if (known === undefined) return OTHER;
    known.row.moveTo(message, 6);
    return known;
  }
}

/** A row that was inserted, in the message that told of it. */
export class InsertedRow {
  readonly schema: string;
  readonly table: string;
  readonly #columns: ReadonlyMap<string, number>;
  #message: Buffer = Buffer.alloc(0);
  readonly #kinds: number[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** `columns`: where each stands, by its name. */
  constructor(schema: string, table: string, columns: ReadonlyMap<string, number>) {
    this.schema = schema;
    this.table = table;
    this.#columns = columns;
  }

  /** It is another row now: the one that begins here. @throws RangeError where it is cut short */
  moveTo(message: Buffer, from: number): void {
    this.#message = message;
    const count = message.readInt16BE(from);
    let at = from + 2;
    for (let column = 0; column < count; column++) {
      const kind = message.readUInt8(at++);
      const hasBytes = kind !== NULL && kind !== UNCHANGED;
      const start = hasBytes ? at + 4 : at;
      const end = hasBytes ? start + message.readUInt32BE(at) : at;
      if (end > message.length) throw new RangeError("a column without an end");
      this.#kinds[column] = kind;
      this.#starts[column] = start;
      this.#ends[column] = at = end;
    }
  }

  /** A column's text; null where it has none. */
  text(name: string): string | null {
    const column = this.#find(name);
    return column === undefined ? null : this.#text(column);
  }

  /** A whole number; NaN where there is none. */
  whole(name: string): number {
    const column = this.#find(name);
    if (column === undefined) return NaN;
    return this.#kinds[column] === BYTES ? Number(this.#message.readBigInt64BE(this.#starts[column])) : Number(this.#text(column));
  }

  truth(name: string): boolean {
    const column = this.#find(name);
    if (column === undefined) return false;
    const first = this.#message[this.#starts[column]!];
    return this.#kinds[column] === BYTES ? first === 1 : first === TRUE;
  }

  /** A column of bytes, as it lies in the message; where the server sends texts, out of `\x` and hexadecimal digits. */
  bytes(name: string): Buffer {
    const column = this.#find(name);
    if (column === undefined) return Buffer.alloc(0);
    if (this.#kinds[column] !== BYTES) return Buffer.from(this.#text(column).slice(2), "hex");
    return this.#message.subarray(this.#starts[column], this.#ends[column]);
  }

  /** A column of bytes that are UTF-8, as text. */
  textOfBytes(name: string): string {
    const column = this.#find(name);
    return column !== undefined && this.#kinds[column] === BYTES ? this.#text(column) : this.bytes(name).toString("utf8");
  }

  #find(name: string): number | undefined {
    const column = this.#columns.get(name);
    if (column === undefined || column >= this.#kinds.length) return undefined;
    const kind = this.#kinds[column];
    return kind === NULL || kind === UNCHANGED ? undefined : column;
  }

  #text(column: number): string {
    return this.#message.toString("utf8", this.#starts[column], this.#ends[column]);
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  skip(count: number): this {
    this.#at += count;
    return this;
  }

  int16(): number {
    return this.#bytes.readInt16BE((this.#at += 2) - 2);
  }

  uint32(): number {
    return this.#bytes.readUInt32BE((this.#at += 4) - 4);
  }

  /** Ends with a NUL. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new RangeError("a text without an end");
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }
}
