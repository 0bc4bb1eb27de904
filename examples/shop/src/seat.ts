import { hash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Ids } from "postrider";

const MOST_SEATS = 1_000; // processes alike on one folder; far more than a machine carries
const SQLITE_BUSY = 5;

/** A name that one process has as long as it lives, and the next one like it takes over. */
export interface Seat {
  /** Its own in the whole world, the same after each restart. */
  readonly name: string;
  /** Frees it; the end of the process does too, however it ends. */
  leave(): void;
}

/**
 * Takes the first free seat of the processes that run these services on this folder. What tells processes apart by a name, as Kafka's groups do, then knows one
 * that was killed and started again as the same.
 *
 * A seat is a SQLite file whose lock is held: the operating system takes it from whoever ends. One that is frozen keeps it.
 * @throws when the folder cannot be written
 */
export function takeSeat(folder: string, services: readonly string[], ids: Ids): Seat {
  const room = join(folder, "seats", hash("sha256", [...services].sort().join()).slice(0, 12));
  mkdirSync(room, { recursive: true });
  for (let number = 0; number < MOST_SEATS; number++) {
    const seat = sitDown(join(room, `${number}.db`), ids);
    if (seat !== undefined) return seat;
  }
  throw new Error(`no seat is free in ${room}: ${MOST_SEATS} processes run there`);
}

/** Undefined where somebody sits. */
function sitDown(file: string, ids: Ids): Seat | undefined {
  const db = new DatabaseSync(file);
  try {
    db.exec("pragma locking_mode = exclusive; begin exclusive; create table if not exists names (name text not null)");
    const known = db.prepare("select name from names").get();
    const name = known === undefined ? `shop-${ids.next()}` : String(known["name"]);
    if (known === undefined) db.prepare("insert into names (name) values (?)").run(name);
    db.exec("commit"); // the lock stays until the file is closed
    return { name, leave: () => db.close() };
  } catch (error) {
    db.close();
    if ((error as { readonly errcode?: unknown }).errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
}
