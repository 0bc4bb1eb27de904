/** A table as the stream describes it, before the first row of it and after each change. */
interface Relation {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
}

/** A column of a decoded row: its text, or its bytes where the server sends them so; null; undefined for what was left out because it did not change. */
export type Column = Buffer | string | null | undefined;

/** A row that was inserted. */
export interface DecodedInsert {
  readonly schema: string;
  readonly table: string;
  readonly columns: ReadonlyMap<string, Column>;
}

/** What one message of the stream says, as far as an insert-only publication says it. */
export type PgOutputMessage =
  | { readonly is: "begin"; readonly xid: number }
  | { readonly is: "insert"; readonly row: DecodedInsert }
  | { readonly is: "commit"; readonly end: bigint }
  | { readonly is: "other" };

const OTHER: PgOutputMessage = { is: "other" };

/**
 * Decodes the messages of PostgreSQL's own output plug-in, protocol version 1.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgOutputDecoder {
  readonly #relations = new Map<number, Relation>();

  /** @throws RangeError for what is cut short */
  decode(message: Buffer): PgOutputMessage {
    const bytes = new Cursor(message);
    const kind = String.fromCharCode(bytes.int8());
    if (kind === "B") return { is: "begin", xid: bytes.skip(16).uint32() };
    if (kind === "C") return { is: "commit", end: bytes.skip(9).int64() };
    if (kind === "I") return this.#insert(bytes);
    if (kind === "R") this.#relation(bytes);
    return OTHER;
  }

  #relation(bytes: Cursor): void {
    const id = bytes.uint32();
    const [schema, table] = [bytes.text(), bytes.text()];
    const columns = Array.from({ length: bytes.skip(1).int16() }, () => {
      const name = bytes.skip(1).text();
      bytes.skip(8);
      return name;
    });
    this.#relations.set(id, { schema, table, columns });
  }

  #insert(bytes: Cursor): PgOutputMessage {
    const relation = this.#relations.get(bytes.uint32());
    if (relation === undefined) return OTHER;
    const { schema, table, columns: names } = relation;
    const count = bytes.skip(1).int16();
    const columns = new Map<string, Column>();
    for (let at = 0; at < count; at++) columns.set(names[at] ?? `column ${at}`, bytes.column());
    return { is: "insert", row: { schema, table, columns } };
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(count: number): this {
    this.#at += count;
    return this;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#at++);
  }

  int16(): number {
    return this.#bytes.readInt16BE((this.#at += 2) - 2);
  }

  uint32(): number {
    return this.#bytes.readUInt32BE((this.#at += 4) - 4);
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE((this.#at += 8) - 8);
  }

  /** Ends with a NUL. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new RangeError("a text without an end");
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }

  column(): Column {
    const kind = String.fromCharCode(this.int8());
    if (kind === "n") return null;
    if (kind === "u") return undefined;
    const length = this.uint32();
    const bytes = this.#bytes.subarray(this.#at, (this.#at += length));
    if (bytes.length < length) throw new RangeError("a column without an end");
    return kind === "b" ? bytes : bytes.toString("utf8");
  }
}
