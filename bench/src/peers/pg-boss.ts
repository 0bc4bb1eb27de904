import { PgBoss } from "pg-boss";
import { numberOf, orders, type Order } from "../order.ts";
import type { OpenCarrier } from "../postrider.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";
import { freshDatabase } from "../servers/postgres.ts";

const QUEUE = "orders";
const CONNECTIONS = 10;
const LOCAL_WORKERS = 4; // of PEER_CONCURRENCY jobs each: as in the measurements that this project started from
const POLL_SECONDS = 0.5; // the least that it takes

/** pg-boss with its quickest wake-up: NOTIFY, batches, the shortest polling. It checks no schema. */
export async function pgBossCarrier(url: string): Promise<OpenCarrier> {
  const database = await freshDatabase(url);
  const boss = new PgBoss({ connectionString: database.url, max: CONNECTIONS, useListenNotify: true, supervise: false, schedule: false });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  const order = orders();
  const carrier: OpenCarrier = {
    onHandled: () => {},
    send: (n) => boss.send(QUEUE, order(n)),
    [Symbol.asyncDispose]: async () => {
      await boss.stop({ graceful: false });
      await database.drop();
    },
  };
  const options = {
    batchSize: PEER_CONCURRENCY,
    localConcurrency: LOCAL_WORKERS,
    pollingIntervalSeconds: POLL_SECONDS,
    burstWhenBatchFull: true,
  };
  // oxlint-disable-next-line typescript/require-await -- a handler must return a promise
  await boss.work<Order>(QUEUE, options, async (jobs) => {
    for (const job of jobs) carrier.onHandled(numberOf(job.data));
  });
  return carrier;
}
