import { Queue, Worker } from "bullmq";
import { numberOf, orders, type Order } from "../order.ts";
import type { OpenCarrier } from "../postrider.ts";
import { PEER_CONCURRENCY } from "./concurrency.ts";

const QUEUE = "postrider-bench-orders"; // on a Redis that was given, others may have queues of their own

/** BullMQ as its guide has it: one queue, one worker, finished jobs removed. It checks no schema. */
export async function bullmqCarrier(url: string): Promise<OpenCarrier> {
  const connection = { url, maxRetriesPerRequest: null };
  const queue = new Queue<Order>(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.obliterate({ force: true });
  // oxlint-disable-next-line typescript/require-await -- a processor must return a promise
  const worker = new Worker<Order>(QUEUE, async (job) => carrier.onHandled(numberOf(job.data)), {
    connection,
    concurrency: PEER_CONCURRENCY,
  });
  const order = orders();
  const carrier: OpenCarrier = {
    onHandled: () => {},
    send: (n) => queue.add("place", order(n)),
    [Symbol.asyncDispose]: async () => {
      await worker.close();
      await queue.close();
    },
  };
  await worker.waitUntilReady();
  return carrier;
}
