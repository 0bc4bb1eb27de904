import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { StandardSchema } from "../../packages/postrider/src/contracts/standard-schema.ts";
import { bodyIdentity, createBus, event, headerIdentity, mappings, service } from "../../packages/postrider/src/index.ts";
import { rabbitmq } from "../../packages/postrider/src/presets/rabbitmq.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import { SILENT, until } from "./harness.ts";

const SCRIPT = join(import.meta.dirname, "plain-client.py");
const PYTHONS = ["python3", "/usr/bin/python3"]; // the system's has what the system's packages bring, another one on the PATH may not
const python = PYTHONS.find(hasPika);
const missing =
  missingOwn("rabbitmq") ?? (python === undefined ? "pika is not installed (Debian: apt-get install python3-pika)" : undefined);

const Member = anything<{ readonly memberId: string; readonly name: string }>();
const MemberUpdated = event("member.updated", { schema: Member });
const OrderPlaced = event("order.placed", { schema: anything<{ readonly orderId: string }>(), key: ({ orderId }) => orderId });

// Elsewhere a skip says what is missing; CI must not skip.
test.runIf(process.env["CI"] === "true")("CI has what this needs", () => expect(missing).toBeUndefined());

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`Python's pika beside us${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("its plain JSON is handled, with the identity in headers, properties or body, and it reads ours", { timeout: 120_000 }, async () => {
    await using broker = await ownBroker("rabbitmq");
    const seen: string[] = [];
    const transport = rabbitmq({ url: broker.url, logger: SILENT });
    const reading = service("reading", (on) => on(MemberUpdated, ({ name }, { message }) => void seen.push(`${message.id}: ${name}`)), {
      foreign: { "member.events": mappings(headerIdentity(), bodyIdentity()) },
    });
    const services = [reading, service("ordering", () => undefined)];
    await using bus = createBus({
      services,
      external: [OrderPlaced],
      commands: transport,
      events: transport,
      store: "none",
      logger: SILENT,
    });
    await bus.start();
    await promisify(execFile)(python!, [SCRIPT, broker.url, "write"]);
    await until(() => seen.length === 3, "three foreign messages were handled");
    expect(new Set(seen)).toEqual(new Set(["e-1: Kim", "e-2: Lee", "e-3: 박"]));

    const child = spawn(python!, [SCRIPT, broker.url, "read"], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("bound");
    const { id } = await bus.as("ordering").publish(OrderPlaced, { orderId: "o-1" });
    expect(JSON.parse((await lines.next()).value as string)).toMatchObject({
      key: expect.stringMatching(/^order\.placed\.[0-7]$/) as string,
      body: { orderId: "o-1" },
      headers: { "cloudEvents:id": id, "cloudEvents:type": "order.placed", "cloudEvents:partitionkey": "o-1" },
      type: "order.placed",
      messageId: id,
      contentType: "application/json",
      contentEncoding: "utf-8",
      deliveryMode: 2,
    });
    await once(child, "close");
  });
});

function hasPika(program: string): boolean {
  try {
    execFileSync(program, ["-c", "import pika"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A schema that takes everything. */
function anything<Body>(): StandardSchema<Body, Body> {
  return { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Body }) } };
}
