import { startBroker } from "./broker.ts";
import type { Server } from "./process.ts";

/** Starts a private Kafka as it comes: one broker. @throws Unavailable */
export async function startKafka(folder: string): Promise<Server> {
  const { url, [Symbol.asyncDispose]: stop } = await startBroker("kafka", folder);
  return { url, version: "4.3.1", [Symbol.asyncDispose]: stop };
}
