import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { temporaryFolder } from "../support/project.ts";
import { BROKER_KINDS } from "./kinds.ts";
import type { Recipe } from "./recipe.ts";
import { RECIPES } from "./recipes/recipes.ts";
import { startServer } from "./server.ts";

// What is asked of Docker, by a program in its place that only writes it down. Whether images and servers behave is seen where Docker runs.
let folder: ReturnType<typeof temporaryFolder>;
const path = process.env["PATH"];

beforeEach(() => {
  folder = temporaryFolder("docker");
  const program = join(folder.path, "docker");
  writeFileSync(program, `#!/bin/sh\necho "$*" >>"${join(folder.path, "asked")}"\n`);
  chmodSync(program, 0o755);
  process.env["PATH"] = `${folder.path}${delimiter}${path}`;
});

afterEach(() => {
  process.env["PATH"] = path;
  folder[Symbol.dispose]();
});

function asked(): readonly string[] {
  return readFileSync(join(folder.path, "asked"), "utf8").trimEnd().split("\n");
}

function containerOnly(recipe: Recipe): { readonly recipe: Recipe; readonly folders: string[] } {
  const folders: string[] = [];
  const prepareContainer: Recipe["prepareContainer"] = async (place, options) => {
    folders.push(place);
    return { ...(await recipe.prepareContainer(place, options)), query: async () => undefined };
  };
  return { recipe: { ...recipe, missing: () => "nothing is installed", prepareContainer }, folders };
}

test.each(BROKER_KINDS)("a %s by Docker is made once, kept through kills, and removed with its folder", async (kind) => {
  const { recipe, folders } = containerOnly(RECIPES[kind]);
  const server = await startServer(kind, recipe, { settings: { "some.setting": "some value" } });
  await server.kill();
  await server.start();
  await server.freeze();
  await server.thaw();
  await server.close();
  await server.close();
  const name = basename(folders[0]!);
  const [made, ...later] = asked();
  expect(made).toMatch(new RegExp(`^run --detach --name ${name} .*--publish 127.0.0.1:${new URL(server.url).port}:\\d+ `));
  expect(later).toEqual([
    `kill ${name}`,
    `start ${name}`,
    `pause ${name}`,
    `unpause ${name}`,
    `kill ${name}`,
    `rm --force --volumes ${name}`,
  ]);
  expect(existsSync(folders[0]!)).toBe(false);
});
