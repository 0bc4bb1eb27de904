import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointAnswer, CheckpointOrder } from "./checkpoint-order.ts";

// For the lock that other processes leave between their turns, and for who still reads the old log. All writers wait meanwhile, so not long.
const LOCK_WAIT_MS = 200;

const db = new DatabaseSync(workerData as string, { timeout: LOCK_WAIT_MS });
// Syncs what it moves: the log before, the database after. Nothing is lost when the log is started afresh.
db.exec("pragma synchronous = normal; pragma wal_autocheckpoint = 0");

parentPort!.on("message", (order: CheckpointOrder) => {
  if (order === "end") {
    db.close();
    parentPort!.close();
    return;
  }
  parentPort!.postMessage(checkpoint(order));
});

function checkpoint(mode: "passive" | "truncate" | "restart"): CheckpointAnswer {
  try {
    const row = db.prepare(`pragma wal_checkpoint(${mode})`).get() as { busy: number; log: number; checkpointed: number };
    return { logFrames: row.log, movedFrames: row.checkpointed, isComplete: row.busy === 0 && row.log === row.checkpointed };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
