import { isPostriderError, systemClock } from "postrider";
import { seededRandom } from "../../packages/postrider/src/base/random.ts";
import { JobSender } from "./app/jobs.ts";
import { sayOut } from "./app/lines.ts";
import { produce } from "./app/produce.ts";
import { play } from "./app/script.ts";
import type { ScriptName } from "./app/script.ts";
import { sayLogs, settle } from "./app/settle.ts";
import { crashSystem } from "./app/system.ts";
import type { CrashSystem, SystemConfig } from "./app/system.ts";

/** What a process of the crash system is told: one JSON text, its only argument. */
export interface WorkerConfig extends SystemConfig {
  /** `produce` sends until SIGTERM; `consume` handles until SIGTERM; `post` sends a script and ends; `play` sends it, handles everything and ends; `settle` handles what is left and ends. */
  readonly role: "produce" | "consume" | "post" | "play" | "settle";
  readonly script?: ScriptName;
  /** For `produce`. */
  readonly seed?: number;
  /** Whether dead letters are mended and handed back. Default true. */
  readonly redrives?: boolean;
}

const SETTLE_LIMIT_MS = 40_000;

const config = JSON.parse(process.argv[2]!) as WorkerConfig;
const sends = config.role === "produce" || config.role === "post";
const system = crashSystem(sends ? { ...config, run: ["front"] } : config, sayOut, process.env);
let isOver = false;

process.on("SIGTERM", () => {
  sayOut({ says: "signalled", at: systemClock.now() });
  isOver = true;
  void system.bus.stop(); // a rejection ends the process, and fails the run
});
sayOut({ says: "loaded" });
await main(system).catch(endWith);

async function main(running: CrashSystem): Promise<void> {
  await running.start();
  sayOut({ says: "ready" });
  if (config.role === "consume") return;
  const sender = new JobSender(running.bus, config.name, sayOut);
  if (config.role === "produce") {
    await produce({ sender, random: seededRandom(config.seed ?? 1), window: 8, paceMs: 4, keys: 16, isOver: () => isOver });
  } else {
    if (config.role === "play" || config.role === "post") await play(config.script ?? "everything", sender);
    if (config.role !== "post") await settle({ ...running, say: sayOut, redrives: config.redrives ?? true, limitMs: SETTLE_LIMIT_MS });
    if (config.saysLogs === true) await sayLogs({ ...running, say: sayOut });
    sayOut({ says: "points", counts: Object.fromEntries(running.points.counts) });
  }
  await running.bus.stop();
}

/** A start that a signal has ended is no failure. */
function endWith(error: unknown): void {
  if (!isOver || !isPostriderError(error, "PR_SHUTDOWN")) throw error;
}
