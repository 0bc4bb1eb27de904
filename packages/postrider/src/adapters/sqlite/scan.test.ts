import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { Connection } from "./connection.ts";
import type { SqliteDelivery } from "./delivery.ts";
import { LaneCursor } from "./lane-cursor.ts";
import type { Log } from "./log.ts";
import { Outstanding } from "../../base/outstanding.ts";
import { Scan } from "./scan.ts";
import { logTable } from "./schema.ts";
import { Tail } from "./tail.ts";
import type { Subscription } from "../../ports/transport.ts";

const DESTINATION = { name: "orders.events", kind: "events", lanes: 1, isExternal: false } as const;

test("of the positions that an earlier owner left open, those that are no longer in the log do not stay open", () => {
  const db = new DatabaseSync(":memory:");
  db.exec(
    `create table ${logTable(1, false)} (position integer primary key, lane, type, bytes, stored_at, ordinal, total_bytes, may_repeat, head, headers, body)`,
  );
  db.exec(`insert into ${logTable(1, false)} values (3, 0, 't', 1, 0, 1, 1, 0, null, null, 'b')`);
  const log = { id: 1, destination: DESTINATION, normal: new Tail(), high: new Tail() } as unknown as Log;
  const subscription = { service: "reader", destination: DESTINATION, types: undefined } as unknown as Subscription;
  const scan = new Scan(log, new Connection(db), subscription, false);
  const row = { id: 1, lane: 0, epoch: 1, owner: "us", leaseUntil: 0, position: 4, open: "[1,2,3]", highPosition: 0, highOpen: null };
  const cursor = new LaneCursor<SqliteDelivery>(
    row,
    { service: "reader", destination: DESTINATION.name, number: 0, epoch: 1 },
    { connection: new Connection(db), owner: "us", outstanding: new Outstanding(10, 1000), onRoom: () => undefined },
  );
  const taken: number[] = [];
  expect(scan.restore(cursor, (_lane, { position }) => taken.push(position) > 0)).toBe(true);
  expect([taken, [...cursor.normal.open.positions()]]).toEqual([[3], [3]]);
  db.close();
});
