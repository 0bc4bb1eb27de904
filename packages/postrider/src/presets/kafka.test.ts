import { expect, test } from "vitest";
import { kafka } from "./kafka.ts";

test("KIP-848 is refused, with the reason", () => {
  expect(() => kafka({ brokers: ["a:9092"], groupProtocol: "consumer" })).toThrow(/PR_FEATURE_REFUSED.*KIP-848.*never joins again/);
});

test("every mistake is named at once", () => {
  expect(() => kafka({ brokers: [], heartbeatMs: 20_000, revokeMs: 40_000 })).toThrow(/PR_CONFIG_INVALID.*brokers.*heartbeatMs.*revokeMs/);
});

test("what a send survives and what it takes is said", () => {
  const { capabilities } = kafka({ brokers: ["a:9092"], maxMessageBytes: 1024 * 1024 });
  expect(capabilities).toMatchObject({ lanes: "owned", priority: "none", replay: true, maxBodyBytes: 960 * 1024 });
  expect(capabilities.durability).toContain("in-sync replicas");
});
