// The same in CommonJS: a library of ES modules must load by require(), so nothing in it may await at the top.
const { command, createBus, service } = require("postrider");
const { sqlite } = require("postrider/sqlite");
const { z } = require("zod");

const Greet = command("greeting.greet", { version: 1, schema: z.object({ name: z.string() }) });

async function main() {
  const { promise: greeted, resolve: greet } = Promise.withResolvers();
  const greeting = service("greeting", (on) => on(Greet, async ({ name }) => greet(`hello ${name}`)));
  const bus = createBus({ services: [greeting], ...sqlite("consumer-cjs.db") });
  await bus.start();
  await bus.as("greeting").send(Greet, { name: "require" });
  console.log(await greeted);
  await bus.stop();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
