import type { PgQuery } from "./connection.ts";
import { MESSAGE_COLUMNS, messageOf, PLAIN_ROWS, plainRows } from "./log-codec.ts";
import type { StoredMessage } from "./log-message.ts";
import type { LogPlace } from "./log-place.ts";

/** Which rows of a destination are read. */
export interface LogPage {
  readonly destination: number;
  /** The last position that is not wanted. */
  readonly after: number;
  /** The last position that is wanted. Default: whatever is there. */
  readonly to?: number;
  /** Only of this priority. Default: of both. */
  readonly isHigh?: boolean;
  /** Only of these types. Default: of all. */
  readonly types?: readonly string[];
  readonly maxRows: number;
  /** What stands before a row in the page has fewer bytes than this, so the first row always comes. */
  readonly maxBytes: number;
}

/** The next rows of a log, in its order; as many rows are touched as are given, whatever the server believes of the table. */
export async function readPage(log: LogPlace, page: LogPage): Promise<StoredMessage[]> {
  return plainRows(await log.connections.query(pageQuery(log, page))).map(messageOf);
}

/** The statement of {@link readPage}. */
export function pageQuery(log: LogPlace, { destination, after, to, isHigh, types, maxRows, maxBytes }: LogPage): PgQuery {
  const text = `select ${MESSAGE_COLUMNS} from ${log.schema}.pr_read_log($1, $2, $3, $4, $5, $6, $7)`;
  const values = [destination, after, to ?? Number.MAX_SAFE_INTEGER, isHigh ?? null, types ?? null, maxRows, maxBytes];
  return { ...log.statement("page", text, values), ...PLAIN_ROWS };
}

/** The positions of the next rows alone. */
export function positionsQuery(
  log: LogPlace,
  { destination, after, maxRows }: Pick<LogPage, "destination" | "after" | "maxRows">,
): PgQuery {
  const text = `select position from ${log.schema}.pr_read_positions($1, $2, null, $3)`;
  return { ...log.statement("positions", text, [destination, after, maxRows]), ...PLAIN_ROWS };
}
