import assert from "node:assert/strict";
import { createPool } from "mysql2/promise";
import { describe, test } from "vitest";
import { z } from "zod";
import { missingServer, withDatabase } from "../adapters/mysql/mysql.test-support.ts";
import { systemClock } from "../base/clock.ts";
import { createBus } from "../bus/bus.ts";
import { command, event } from "../contracts/contract.ts";
import { service } from "../pipeline/service.ts";
import { silentLogger } from "../telemetry/json-logger.ts";
import { codeOf, until } from "../testing/wait.ts";
import { memory } from "./memory.ts";
import { mysqlStores } from "./mysql.ts";

const waiting = { pass: (ms: number): Promise<void> => systemClock.sleep(ms) };

const PlaceOrder = command("order.place", { version: 1, schema: z.object({ id: z.string() }) });
const OrderPlaced = event("order.placed", { version: 1, schema: z.object({ id: z.string() }), key: ({ id }) => id });

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("an app on MariaDB", () => {
  test("handles a command, its rows and its events, on a pool that stays the user's", () =>
    withDatabase(async (database) => {
      const mailed: string[] = [];
      const ordering = service("ordering", (on) =>
        on(PlaceOrder, async ({ id }, { tx, publish }) => {
          await tx.run("insert into orders (id) values (?)", id);
          publish(OrderPlaced, { id });
        }),
      );
      const mailing = service("mailing", (on) =>
        on(OrderPlaced, async ({ id }, { once }) => void (await once("mail", async () => mailed.push(id)))),
      );
      const pool = createPool({ uri: database.url, connectionLimit: 8 });
      const { commands, events } = memory();
      const bus = createBus({
        services: [ordering, mailing],
        commands,
        events,
        store: mysqlStores({ pool, maxConnections: 8 }),
        logger: silentLogger,
      });
      await bus.start();
      await bus.as("ordering").transaction(async ({ tx }) => void (await tx.run("create table orders (id varchar(64) primary key)")));
      for (let at = 0; at < 20; at++) await bus.as("ordering").send(PlaceOrder, { id: `o-${at}` });
      await until(waiting, () => mailed.length === 20, "the mails were sent");
      assert.equal((await bus.as("ordering").read.all("select id from orders")).length, 20);
      const within = bus.as("ordering").transaction(async ({ publish }) => void publish(OrderPlaced, { id: "x" }), { within: pool });
      assert.equal(await codeOf(within), "PR_FEATURE_REFUSED");
      await bus.stop();
      await pool.query("select 1");
      await pool.end();
    }));

  test("the options' mistakes are told at once, and all of them", () => {
    assert.throws(() => mysqlStores({ maxConnections: 1 }), /exactly one of url and pool.*maxConnections/);
  });
});
