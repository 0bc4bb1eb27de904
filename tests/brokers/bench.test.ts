import { expect, test } from "vitest";
import { startBench } from "./bench.ts";
import type { BrokerAddresses } from "./kinds.ts";
import { printed } from "./printed.ts";
import { verdict } from "./verdict.ts";

const NONE = { missing: "it is not installed" };
const UNWANTED = { missing: "not among those", isUnwanted: true };

test("URLs of the environment are taken as they are, and only the kinds that are asked for are started", async () => {
  await using bench = await startBench({
    POSTRIDER_TEST_BROKERS: "none",
    POSTRIDER_TEST_POSTGRES: "postgres://here",
    POSTRIDER_TEST_RABBITMQ: "amqp://there",
    POSTRIDER_TEST_RABBITMQ_MANAGEMENT: "http://there",
  });
  const missing = { missing: "not among POSTRIDER_TEST_BROKERS=none", isUnwanted: true };
  expect(bench.addresses).toEqual({
    postgres: { url: "postgres://here" },
    mariadb: missing,
    rabbitmq: { url: "amqp://there", managementUrl: "http://there" },
    kafka: missing,
  });
});

test("a missing server is told, and fails the run under CI unless it was not asked for", () => {
  const addresses: BrokerAddresses = {
    postgres: { url: "postgres://here" },
    mariadb: NONE,
    rabbitmq: { url: "amqp://there" },
    kafka: UNWANTED,
  };
  expect(verdict(addresses, {})).toEqual(["no mariadb: it is not installed", "no kafka: not among those"]);
  expect(() => verdict(addresses, { CI: "true" })).toThrow("CI needs every broker.\nno mariadb: it is not installed");
  expect(verdict({ ...addresses, mariadb: UNWANTED }, { CI: "true" })).toHaveLength(2);
});

test("what is printed is for a shell, and JSON behind a comment sign on its last line", () => {
  const addresses: BrokerAddresses = {
    postgres: { url: "postgres://it's" },
    mariadb: { missing: "no\nsuch" },
    rabbitmq: { url: "amqp://there", managementUrl: "http://there" },
    kafka: { url: "kafka://there" },
  };
  const lines = printed(addresses).trimEnd().split("\n");
  expect(lines.slice(0, -1)).toEqual([
    String.raw`export POSTRIDER_TEST_POSTGRES='postgres://it'\''s'`,
    "# no mariadb: no",
    "# such",
    "export POSTRIDER_TEST_RABBITMQ='amqp://there'",
    "export POSTRIDER_TEST_KAFKA='kafka://there'",
    "export POSTRIDER_TEST_RABBITMQ_MANAGEMENT='http://there'",
  ]);
  expect(JSON.parse(lines.at(-1)!.replace("# ", ""))).toEqual(addresses);
});
