import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { portOf } from "./fault-proxy.ts";
import { BROKER_KINDS } from "./kinds.ts";
import { missingOwn } from "./own.ts";
import { freePorts } from "./ports.ts";
import type { Recipe } from "./recipe.ts";
import { RECIPES } from "./recipes/recipes.ts";
import { startServer } from "./server.ts";

const rivals: Server[] = [];
afterEach(() => Promise.all(rivals.splice(0).map((rival) => once(rival.close(), "close"))));

test("ports that are asked for at the same time are all different", async () => {
  const groups = await Promise.all(Array.from({ length: 20 }, () => freePorts(5)));
  expect(new Set(groups.flat()).size).toBe(100);
});

for (const kind of BROKER_KINDS) {
  const missing = missingOwn(kind);

  // The reason stands in the name.
  test.skipIf(missing !== undefined)(
    `a ${kind} whose port is taken before it listens starts on another${missing ? ` (${missing})` : ""}`,
    async () => {
      const { recipe, ports } = robbed(RECIPES[kind]);
      await using broker = await startServer(kind, recipe, {});
      expect(ports).toHaveLength(2);
      expect(portOf(broker.url)).toBe(ports[1]);
    },
  );
}

/** The first time somebody else is quicker. */
function robbed(recipe: Recipe): { readonly recipe: Recipe; readonly ports: number[] } {
  const ports: number[] = [];
  const prepare: Recipe["prepare"] = async (folder, options) => {
    const prepared = await recipe.prepare(folder, options);
    const port = portOf(prepared.url);
    if (ports.push(port) === 1) {
      const rival = createServer((socket) => socket.destroy());
      rivals.push(rival);
      await once(rival.listen(port, "127.0.0.1"), "listening");
    }
    return prepared;
  };
  return { recipe: { ...recipe, prepare }, ports };
}
