import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { BROKER_KINDS } from "./kinds.ts";
import { NOTEBOOKS } from "./notebook.ts";
import { missingOwn, type OwnBroker, ownBroker } from "./own.ts";

const NOTE = "written before";
// Long for a server that answers; one that is dead or frozen never does.
const SILENT_LIMIT_MS = 500;
// After a crash or a frost a server takes connections before all of it is back: Kafka's coordinators, RabbitMQ's quorum queues.
const RECOVERY = { timeout: 60_000, interval: 100 };

test("what the setup has found answers its usual client", async () => {
  for (const kind of BROKER_KINDS) {
    const { url } = inject("brokers")[kind];
    if (url === undefined) continue;
    await NOTEBOOKS[kind].write(url, "here");
    expect(await NOTEBOOKS[kind].read(url)).not.toBe("");
  }
});

for (const kind of BROKER_KINDS) {
  const missing = missingOwn(kind);
  const { write, read } = NOTEBOOKS[kind];

  // The reason stands in the name.
  describe.skipIf(missing !== undefined)(`a private ${kind}${missing === undefined ? "" : ` (${missing})`}`, () => {
    let broker: OwnBroker;
    beforeAll(async () => {
      broker = await ownBroker(kind);
      await write(broker.url, NOTE);
      await broker.settled();
    });
    afterAll(() => broker.close());

    test("keeps what it has confirmed through SIGKILL and a start on the same port", async () => {
      await broker.kill();
      await expect(read(broker.url, SILENT_LIMIT_MS)).rejects.toBeInstanceOf(Error);
      await broker.start();
      await expect.poll(() => read(broker.url), RECOVERY).toBe(NOTE);
    });

    test("says nothing while it is frozen, and goes on when thawed", async () => {
      await broker.freeze();
      await expect(read(broker.url, SILENT_LIMIT_MS)).rejects.toBeInstanceOf(Error);
      await broker.thaw();
      await expect.poll(() => read(broker.url), RECOVERY).toBe(NOTE);
    });

    test("is reached by way of its proxy only, by who was given the proxy's URL", async () => {
      await using proxy = await broker.proxy();
      await expect.poll(() => read(proxy.url), RECOVERY).toBe(NOTE);
      proxy.blackHole(true);
      await expect(read(proxy.url, SILENT_LIMIT_MS)).rejects.toBeInstanceOf(Error);
      expect(await read(broker.url)).toBe(NOTE);
      proxy.blackHole(false);
      await expect.poll(() => read(proxy.url), RECOVERY).toBe(NOTE);
    });
  });
}
