import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { Pool } from "pg";
import { numberOf, orders, type Order } from "../order.ts";
import type { OpenCarrier } from "../postrider.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";
import { freshDatabase } from "../servers/postgres.ts";

const TASK = "place";
const CONNECTIONS = 10;
const LOCAL_QUEUE = 500;
const COMPLETE_BATCH_MS = 0;

/** graphile-worker as its page on performance tunes it: local queue, completions in batches. It checks no schema. */
export async function graphileCarrier(url: string): Promise<OpenCarrier> {
  const database = await freshDatabase(url);
  const pgPool = new Pool({ connectionString: database.url, max: CONNECTIONS });
  pgPool.on("connect", (client) => client.on("error", () => {})); // of a connection that is closed while its database goes
  const shared = { pgPool, logger: new Logger(() => () => {}) };
  const [utils, order] = [await makeWorkerUtils(shared), orders()];
  await utils.migrate();
  const worker = {
    concurrentJobs: PEER_CONCURRENCY,
    localQueue: { size: LOCAL_QUEUE },
    completeJobBatchDelay: COMPLETE_BATCH_MS,
    failJobBatchDelay: COMPLETE_BATCH_MS,
  };
  const runner = await run({
    ...shared,
    noHandleSignals: true,
    preset: { worker },
    taskList: { [TASK]: (payload) => carrier.onHandled(numberOf(payload as Order)) },
  });
  const carrier: OpenCarrier = {
    onHandled: () => {},
    send: (n) => utils.addJob(TASK, order(n)),
    [Symbol.asyncDispose]: async () => {
      await runner.stop();
      await utils.release();
      await pgPool.end();
      await database.drop();
    },
  };
  return carrier;
}
