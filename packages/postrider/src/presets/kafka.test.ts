import { expect, test } from "vitest";
import { z } from "zod";
import { createBus } from "../bus/bus.ts";
import type { Bus } from "../bus/api.ts";
import { composer } from "../bus/compose.ts";
import { command } from "../contracts/contract.ts";
import { contractIndex } from "../contracts/registry.ts";
import { systemClock } from "../base/clock.ts";
import { service } from "../pipeline/service.ts";
import { noTelemetry } from "../telemetry/no-telemetry.ts";
import { kafka } from "./kafka.ts";
import type { KafkaOptions } from "./kafka.ts";

test("KIP-848 is refused, with the reason", () => {
  expect(() => kafka({ brokers: ["a:9092"], groupProtocol: "consumer" })).toThrow(/PR_FEATURE_REFUSED.*KIP-848.*never joins again/);
});

test("every mistake is named at once", () => {
  expect(() => kafka({ brokers: [], heartbeatMs: 20_000, revokeMs: 40_000 })).toThrow(/PR_CONFIG_INVALID.*brokers.*heartbeatMs.*revokeMs/);
});

test("names of dead letters that mean nothing are mistakes", () => {
  // @ts-expect-error the option is a closed list
  const strange: KafkaOptions = { brokers: ["a:9092"], deadLetterTopics: "dlt" };
  expect(() => kafka(strange)).toThrow(/PR_CONFIG_INVALID.*deadLetterTopics/);
  expect(() => kafka({ brokers: ["a:9092"], deadLetterTopic: (topic) => `${topic}.DLT` })).toThrow(
    /PR_CONFIG_INVALID.*needs deadLetterTopics/,
  );
});

test("the topics of dead letters are part of the topology", async () => {
  expect(kafka({ brokers: ["a:9092"] }).letterCopies).toBeUndefined();
  expect(kafka({ brokers: ["a:9092"], deadLetterTopics: "dlq" }).letterCopies?.destinationOf("order.events")).toBe("order.events.dlq");
  expect(kafka({ brokers: ["a:9092"], deadLetterTopics: "spring" }).letterCopies?.destinationOf("order.events")).toBe("order.events-dlt");
});

test("what a send survives and what it takes is said", () => {
  const { capabilities } = kafka({ brokers: ["a:9092"], maxMessageBytes: 1024 * 1024 });
  expect(capabilities).toMatchObject({ lanes: "owned", priority: "none", replay: true, maxBodyBytes: 960 * 1024 });
  expect(capabilities.durability).toContain("in-sync replicas");
});

const schema = z.object({ orderId: z.string() });
const Urgent = command("order.hurry", { schema, priority: () => "high" });
const Plain = command("order.place", { schema });

function busWith(options: Partial<KafkaOptions>): Bus {
  const transport = kafka({ brokers: ["a:9092"], ...options });
  const ordering = service("ordering", (on) => on(Urgent, () => undefined));
  return createBus({ services: [ordering], commands: transport, events: transport, store: "none" });
}

test("a contract's priority is refused at start, with what to do, unless the app says that order among the fetched is enough", () => {
  expect(() => busWith({})).toThrow(/PR_FEATURE_REFUSED: The priority of order\.hurry is not possible with kafka: .*priority: "fetched"/i);
  expect(() => busWith({ priority: "fetched" })).not.toThrow();
});

test("a send with high priority is refused where the transport has none", () => {
  const compose = composer({
    service: "ordering",
    clock: systemClock,
    telemetry: noTelemetry,
    contracts: contractIndex([Plain]),
    destinations: new Set(["order.commands"]),
    transportOf: () => kafka({ brokers: ["a:9092"] }),
    maxBodyBytes: 1024,
    plain: {},
    mayRepeat: false,
  });
  const send = (priority: "high" | "normal") => compose(Plain, { orderId: "o-1" }, { options: { priority }, identify: () => "id" });
  expect(() => send("high")).toThrow(/PR_FEATURE_REFUSED/);
  expect(send("normal").id).toBe("id");
});
