import type { AnyContract, HandlerContext, InputOfContract } from "postrider";

/**
 * A read model's feed, conflated: many changes, one message.
 *
 * The first change schedules the telling a moment later; changes until then ride along. A service that changes the same rows hundreds of times a second
 * so tells of them some times a second, with what holds then. Whether a telling is due stands in a row, in the same unit of work as the change.
 */
export interface Feed<Tell extends AnyContract> {
  readonly table: string;
  /** What the service sends itself when it is time. */
  readonly tell: Tell;
  readonly body: InputOfContract<Tell>;
  readonly delayMs: number;
}

/** The table of a feed's due tellings. */
export const feedTable = (table: string): string =>
  `create table if not exists ${table} (contract varchar(255) primary key, changes bigint not null)`;

/**
 * Something changes that the feed has to tell.
 *
 * From here to the end of the unit of work no telling and no other change of this feed gets by, where units of work run side by side: so a telling never
 * misses a change, and a unit that takes other rows too does this before, as the telling does.
 */
export async function changed<Tell extends AnyContract>(
  { table, tell, body, delayMs }: Feed<Tell>,
  { tx, schedule }: Pick<HandlerContext, "tx" | "schedule">,
): Promise<void> {
  for (;;) {
    const rode = await tx.run(`update ${table} set changes = changes + 1 where contract = ?`, tell.name);
    if (rode.changes === 1) return;
    const began = await tx.run(`insert into ${table} (contract, changes) values (?, 1) on conflict do nothing`, tell.name);
    if (began.changes === 1) return void schedule(tell, body, { delayMs });
    // Another unit of work began between the two statements, and has been waited for: ride along with it.
  }
}

/** It is being told now: what changes from here on needs another telling. Call it before the changes are read. */
export async function telling<Tell extends AnyContract>({ table, tell }: Feed<Tell>, { tx }: Pick<HandlerContext, "tx">): Promise<void> {
  await tx.run(`delete from ${table} where contract = ?`, tell.name);
}
