import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, uuidv7Ids } from "postrider";
import { expect, onTestFinished, test } from "vitest";
import { takeSeat } from "./seat.ts";
import type { Seat } from "./seat.ts";

const ids = uuidv7Ids(systemClock);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "postrider-seats-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function taken(path: string, services: readonly string[] = ["ordering", "payment"]): Seat {
  const seat = takeSeat(path, services, ids);
  onTestFinished(() => seat.leave());
  return seat;
}

test("those who run the same services have seats of their own", () => {
  const path = folder();
  const [one, other] = [taken(path), taken(path)];
  expect(one.name).not.toBe(other.name);
  expect(taken(path, ["gateway"]).name).not.toBe(one.name);
  expect(taken(folder()).name).not.toBe(one.name);
});

test("a seat that is left goes to the next one, by the same name", () => {
  const path = folder();
  const one = takeSeat(path, ["payment", "ordering"], ids);
  const other = taken(path);
  one.leave();
  const next = taken(path);
  expect(next.name).toBe(one.name);
  expect(taken(path).name).not.toBe(other.name);
});

test("a seat whose process was killed goes to the next one, by the same name", async () => {
  const path = folder();
  const sitting = spawn(
    process.execPath,
    [
      "--conditions=@postrider/source",
      "--input-type=module",
      "--eval",
      `import { systemClock, uuidv7Ids } from "postrider";
       import { takeSeat } from ${JSON.stringify(join(import.meta.dirname, "seat.ts"))};
       console.log(takeSeat(${JSON.stringify(path)}, ["ordering", "payment"], uuidv7Ids(systemClock)).name);
       setInterval(() => {}, 1000);`,
    ],
    { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void sitting.kill("SIGKILL"));
  const [said] = (await once(sitting.stdout, "data")) as [Buffer];
  const name = said.toString().trim();
  const beside = takeSeat(path, ["ordering", "payment"], ids);
  expect(beside.name).not.toBe(name);
  const ended = once(sitting, "exit");
  sitting.kill("SIGKILL");
  await ended;
  expect(taken(path).name).toBe(name);
  beside.leave();
});
