import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CaseContext } from "../../case.ts";
import { durations } from "../../cases/throughput.ts";
import type { Metrics } from "../../measure.ts";
import { orders } from "../../order.ts";
import { programPath, Unavailable } from "../../servers/process.ts";
import { freshName } from "./peer.ts";

const JARS = join(import.meta.dirname, "..", "..", "..", "..", "tests", "kafka", "spring", "main.ts");
const PROGRAM = join(import.meta.dirname, "SpringFlood.java");
const JAVA_OPTIONS = ["-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"];
const TEMPLATES = 64;
const WARM_UP_ORDERS = 100_000; // before that Java still compiles
const run = promisify(execFile);

/** Why Spring cannot run here; undefined where it can. */
export function springMissing(): string | undefined {
  try {
    programPath("javac");
    programPath("mvn");
    return undefined;
  } catch (error) {
    if (error instanceof Unavailable) return `${error.message}, which Spring needs`;
    throw error;
  }
}

/** Spring for Kafka in a JVM of its own: sends and handles with so many sends in flight. */
export async function springFlood(url: string, window: number, context: CaseContext): Promise<Metrics> {
  const [brokers, topic, order] = [new URL(url).host, freshName("spring"), orders()];
  await (await import("./raw.ts")).createTopic([brokers], topic);
  const file = join(context.folder, "orders.json");
  await writeFile(file, JSON.stringify(Array.from({ length: TEMPLATES }, (_, n) => order(n))));
  const { stdout: jars } = await run(process.execPath, [JARS]);
  const { seconds, warmUpSeconds } = durations(context);
  const numbers = [window, seconds, warmUpSeconds, context.isQuick ? 0 : WARM_UP_ORDERS].map(String);
  const { stdout } = await run(programPath("java"), [...JAVA_OPTIONS, "-cp", `${jars}/*`, PROGRAM, brokers, topic, file, ...numbers]);
  return JSON.parse(stdout) as Metrics;
}
