// What a newcomer writes in a project of his own; compiled, and run on every supported Node, by tests/packed-consumer.int.test.ts.
import { command, createBus, service } from "postrider";
import { memory } from "postrider/memory";
import { sqlite } from "postrider/sqlite";
import { z } from "zod";

const Greet = command("greeting.greet", { version: 1, schema: z.object({ name: z.string() }) });

for (const infrastructure of [sqlite("consumer.db"), memory()]) {
  const { promise: greeted, resolve: greet } = Promise.withResolvers<string>();
  const greeting = service("greeting", (on) => on(Greet, async ({ name }) => greet(`hello ${name}`)));
  const bus = createBus({ services: [greeting], ...infrastructure });
  await bus.start();
  await bus.as("greeting").send(Greet, { name: "import" });
  console.log(await greeted);
  await bus.stop();
}
