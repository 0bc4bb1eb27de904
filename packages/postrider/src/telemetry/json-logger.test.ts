import { expect, test } from "vitest";
import { fail } from "../base/errors.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { jsonLogger } from "./json-logger.ts";
import type { LogLevel } from "./json-logger.ts";

function noting(level: LogLevel = "debug") {
  const lines: string[] = [];
  return {
    lines,
    last: () => JSON.parse(lines.at(-1)!) as unknown,
    logger: jsonLogger({ level, write: (line) => void lines.push(line), clock: new VirtualClock(5) }),
  };
}

test("a line is JSON as pino writes it", () => {
  const { lines, logger } = noting();
  logger.warn({ service: "billing", count: 2 }, "it\nhappened");
  expect(lines).toEqual(['{"level":40,"time":5,"service":"billing","count":2,"msg":"it\\nhappened"}\n']);
});

test.each([
  ["debug", [20, 30, 40, 50]],
  ["warn", [40, 50]],
  ["silent", []],
] as const)("level %s writes %j", (level, expected) => {
  const { lines, logger } = noting(level);
  for (const name of ["debug", "info", "warn", "error"] as const) logger[name]({}, name);
  expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual(expected);
});

test("an error is told with its code, stack and causes, at any depth of the fields", () => {
  const { logger, last } = noting();
  const cause = new TypeError("no such column");
  const error = fail("PR_STORE_FAILED", { store: "s", during: "send", detail: "no" }, { cause });
  logger.error({ err: error, more: { inner: error } }, "failed");
  const told = {
    type: "PostriderError",
    code: "PR_STORE_FAILED",
    message: error.message,
    stack: error.stack,
    cause: { type: "TypeError", message: "no such column", stack: cause.stack },
  };
  expect(last()).toMatchObject({ err: told, more: { inner: told } });
});

test("nothing that the fields hold can stop a line", () => {
  const { logger, last } = noting();
  const circle: Record<string, unknown> = { name: "circle" };
  circle["self"] = circle;
  const selfCaused = new Error("round");
  selfCaused.cause = selfCaused;
  const trap = {
    get it(): never {
      throw new Error("trap");
    },
  };
  logger.info({ circle, big: 12n, trap, nothing: undefined, act: () => 1, err: selfCaused, fine: 1 }, "still");
  expect(last()).toMatchObject({
    circle: "<cannot be shown>",
    trap: "<cannot be shown>",
    big: "12",
    fine: 1,
    msg: "still",
    err: { message: "round" },
  });
});

test("a writer that throws stops nothing", () => {
  const logger = jsonLogger({
    level: "info",
    write: () => {
      throw new Error("EPIPE");
    },
    clock: new VirtualClock(0),
  });
  expect(() => logger.info({}, "lost")).not.toThrow();
});
