import type { EventEmitter } from "node:events";
import type { Client, ClientConfig } from "pg";
import { fail } from "../../base/errors.ts";
import { quoted } from "./names.ts";
import { lsnText } from "./outbox-leader.ts";
import { PgOutputDecoder } from "./pgoutput.ts";
import type { InsertedRow } from "./pgoutput.ts";

/** A transaction's rows. */
export interface StreamedTransaction<Row> {
  readonly xid: number;
  /** Where it ends in the write-ahead log: telling this confirms it. */
  readonly end: bigint;
  readonly rows: readonly Row[];
  /** False when it had more rows than are kept: the first ones are there. */
  readonly isWhole: boolean;
}

/** What a stream stands on. */
export interface ReplicationStreamOptions<Row> {
  /** How to reach the server; the user needs the attribute `replication`. */
  readonly connection: ClientConfig;
  readonly slot: string;
  readonly publication: string;
  /** What was committed before this is not sent. */
  readonly from: bigint;
  /** Whether columns come as bytes: from PostgreSQL 14 on. */
  readonly isBinary: boolean;
  /** More rows of one transaction than this are not kept. */
  readonly maxRows: number;
  /** Takes a row out of its message, which is gone afterwards; undefined for one that is not wanted. */
  readonly rowOf: (inserted: InsertedRow) => Row | undefined;
  readonly onTransaction: (transaction: StreamedTransaction<Row>) => void;
  /** The server has nothing to send up to here. */
  readonly onIdleAt: (lsn: bigint) => void;
  /** The end, unless it was closed here. Called once. */
  readonly onEnd: (error: Error) => void;
}

/** What `pg` does not say of itself: the connection below a client, which speaks the replication protocol too. */
interface RawConnection extends EventEmitter {
  sendCopyFromChunk(chunk: Buffer): void;
  readonly stream: { readonly writable: boolean; destroy(): void };
}

// Of the streaming replication protocol: https://www.postgresql.org/docs/current/protocol-replication.html
const XLOG_DATA = 0x77;
const XLOG_DATA_HEAD = 25;
const KEEP_ALIVE = 0x6b;
const STATUS = 0x72;
const STATUS_BYTES = 34;

/**
 * Reads a logical replication slot: each committed transaction, whole and in the order of the commits.
 *
 * Nothing is confirmed by itself: the server keeps the write-ahead log until {@link confirm}, and sends what comes after that again when the next one reads.
 */
export class ReplicationStream<Row> {
  readonly #options: ReplicationStreamOptions<Row>;
  readonly #decoder = new PgOutputDecoder();
  #raw: RawConnection | undefined;
  #isClosed = false;
  #confirmed = 0n;
  #xid = 0;
  #rows: Row[] = [];
  #isWhole = true;

  constructor(options: ReplicationStreamOptions<Row>) {
    this.#options = options;
  }

  /** Resolves once the server sends. @throws the vendor's error */
  async open(): Promise<void> {
    const { connection, slot, publication, isBinary, from } = this.#options;
    const ClientOfPg = await importClient();
    const config = { ...connection, replication: "database", statement_timeout: 0, query_timeout: 0 } as ClientConfig;
    const client = new ClientOfPg(config);
    const raw = (client as unknown as { readonly connection: RawConnection }).connection;
    this.#raw = raw;
    client.on("error", (error) => this.#end(error));
    client.on("end", () => this.#end(new Error("the server closed the replication connection")));
    await client.connect();
    // The client would take what comes for the answer to a COPY of its own.
    raw.removeAllListeners("copyData");
    raw.on("copyData", ({ chunk }: { readonly chunk: Buffer }) => this.#take(chunk));
    const names = publication.replaceAll("'", "''");
    const started = new Promise<void>((resolve) => raw.once("replicationStart", resolve));
    const text = `START_REPLICATION SLOT ${quoted(slot)} LOGICAL ${lsnText(from)} (proto_version '1', publication_names '"${names}"'${isBinary ? ", binary 'true'" : ""})`;
    const query = client.query(text); // it ends with the stream
    await Promise.race([started, query]);
    query.then(
      () => this.#end(new Error("the server ended the replication")),
      (error: unknown) => this.#end(error as Error),
    );
  }

  /** The server may forget everything up to here. */
  confirm(lsn: bigint): void {
    if (lsn > this.#confirmed) this.#confirmed = lsn;
    this.#tell();
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#raw?.stream.destroy(); // the copy has no other end that the server would not wait for
  }

  #end(error: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#options.onEnd(error);
  }

  #take(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      const kind = chunk[0];
      // The client reads the next message into the same bytes: nothing of these is kept.
      if (kind === XLOG_DATA) this.#message(chunk.subarray(XLOG_DATA_HEAD));
      else if (kind === KEEP_ALIVE) this.#keepAlive(chunk);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #keepAlive(chunk: Buffer): void {
    // Within a transaction the server may be far beyond what it has sent of it.
    if (this.#xid === 0) this.#options.onIdleAt(chunk.readBigInt64BE(1));
    if (chunk[17] === 1) this.#tell();
  }

  #message(bytes: Buffer): void {
    const message = this.#decoder.decode(bytes);
    if (message.is === "begin") this.#xid = message.xid;
    else if (message.is === "insert") {
      if (this.#rows.length >= this.#options.maxRows) this.#isWhole = false;
      else {
        const row = this.#options.rowOf(message.row);
        if (row !== undefined) this.#rows.push(row);
      }
    } else if (message.is === "commit") {
      const [rows, isWhole, xid] = [this.#rows, this.#isWhole, this.#xid];
      this.#rows = [];
      this.#isWhole = true;
      this.#xid = 0;
      this.#options.onTransaction({ xid, end: message.end, rows, isWhole });
    }
  }

  #tell(): void {
    if (this.#isClosed || this.#raw?.stream.writable !== true) return;
    const status = Buffer.alloc(STATUS_BYTES);
    status[0] = STATUS;
    for (const at of [1, 9, 17]) status.writeBigInt64BE(this.#confirmed, at);
    this.#raw.sendCopyFromChunk(status); // its own time stays 0: the server only shows it
  }
}

async function importClient(): Promise<typeof Client> {
  try {
    return (await import("pg")).default.Client;
  } catch (cause) {
    throw fail("PR_CONFIG_INVALID", { mistakes: "postrider/postgres needs the package pg: npm install pg" }, { cause });
  }
}
