import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { deferred } from "../base/deferred.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import type { LogFields, Logger } from "../ports/logger.ts";
import type { Alert } from "./alert.ts";
import { alerts } from "./alerts.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const alert = (change: Partial<Alert> = {}): Alert => ({
  kind: "deadLetter",
  service: "billing",
  text: "given up",
  at: "2026-01-01T00:00:00.000Z",
  contract: "invoice.create",
  code: "DECLINED",
  ...change,
});

/** A webhook that answers with the statuses given, then 204; `undefined` never answers. */
async function hook(...statuses: readonly (number | undefined)[]) {
  const posts: { readonly body: Alert; readonly type: string | undefined }[] = [];
  const open: { atOnce: number; most: number } = { atOnce: 0, most: 0 };
  const waiting: { readonly count: number; readonly seen: () => void }[] = [];
  const server = createServer((request, response) => {
    let text = "";
    open.most = Math.max(open.most, ++open.atOnce);
    response.on("close", () => open.atOnce--);
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () => {
      const status = posts.length < statuses.length ? statuses[posts.length] : 204;
      posts.push({ body: JSON.parse(text) as Alert, type: request.headers["content-type"] });
      if (status !== undefined) response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end("ignored");
      for (const { count, seen } of waiting) if (posts.length >= count) seen();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  const got = (count: number): Promise<void> => {
    const { promise, resolve } = deferred();
    if (posts.length >= count) resolve();
    waiting.push({ count, seen: resolve });
    return promise;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-path`, posts, open, got };
}

function noting() {
  const lines: { readonly fields: LogFields; readonly text: string }[] = [];
  const warned = deferred();
  const note = (fields: LogFields, text: string): void => {
    lines.push({ fields, text });
    warned.resolve();
  };
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  return { logger, lines, warned: warned.promise };
}

/** Lets a virtual clock run on until something real has happened. */
async function runUntil(clock: VirtualClock, real: Promise<unknown>): Promise<void> {
  const done: true[] = [];
  void real.then(() => done.push(true));
  while (done.length === 0) await (clock.nextAt !== undefined && clock.nextAt - clock.now() <= 2000 ? clock.advance(100) : clock.yield());
}

test("the same alert is told once within the quiet time; another service, destination, contract or code is another alert", async () => {
  const clock = new VirtualClock(0);
  const told: Alert[] = [];
  const { logger } = noting();
  const alerter = alerts({ onAlert: (each) => void told.push(each), quietMs: 1000, clock, logger });
  const others = [
    { service: "mailing" },
    { destination: "order.events" },
    { contract: "invoice.send" },
    { code: "TIMEOUT" },
    { kind: "failed" as const },
  ];
  for (const change of [{}, {}, ...others, { text: "given up again" }]) alerter.raise(alert(change));
  expect(told).toHaveLength(6);
  await clock.advance(999);
  alerter.raise(alert());
  expect(told).toHaveLength(6);
  await clock.advance(1);
  alerter.raise(alert());
  expect(told).toHaveLength(7);
});

test("an outage that begins again after its end is news, however soon", () => {
  const told: string[] = [];
  const { logger } = noting();
  const alerter = alerts({ onAlert: ({ kind }) => void told.push(kind), clock: new VirtualClock(0), logger });
  for (const kind of ["outage", "outage", "outageOver", "outage", "outageOver", "outageOver"] as const) alerter.raise(alert({ kind }));
  expect(told).toEqual(["outage", "outageOver", "outage", "outageOver"]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("no");
    },
  ],
  ["rejects", () => Promise.reject(new Error("no"))],
])("a callback that %s is logged and hurts nobody", async (_, onAlert) => {
  const { logger, warned } = noting();
  const alerter = alerts({ onAlert, clock: new VirtualClock(0), logger });
  expect(() => alerter.raise(alert())).not.toThrow();
  await warned;
  await alerter.close();
});

test("alerts reach the webhook as JSON, one at a time, in order; a close lets them go out", async () => {
  const { url, posts, open } = await hook();
  const { logger, lines } = noting();
  const alerter = alerts({ webhook: url, clock: new VirtualClock(0), logger });
  for (const code of ["A", "B", "C"]) alerter.raise(alert({ code }));
  await alerter.close();
  alerter.raise(alert({ code: "too late" }));
  await alerter.close();
  expect(posts.map(({ body, type }) => [body.code, type])).toEqual([
    ["A", "application/json"],
    ["B", "application/json"],
    ["C", "application/json"],
  ]);
  expect([open.most, lines]).toEqual([1, []]);
});

test("a webhook that answers badly is tried three times; then it is logged, without its secret path, and the next alert has its turn", async () => {
  const { url, posts, got } = await hook(500, 302, 404);
  const clock = new VirtualClock(0);
  const { logger, lines } = noting();
  const alerter = alerts({ webhook: url, clock, logger });
  alerter.raise(alert({ code: "A" }));
  alerter.raise(alert({ code: "B" }));
  await runUntil(clock, got(4));
  await alerter.close();
  expect(posts.map(({ body }) => body.code)).toEqual(["A", "A", "A", "B"]);
  expect(clock.now()).toBeGreaterThanOrEqual(3000);
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines, (_, value: unknown) => (value instanceof Error ? value.message : value))).not.toContain("secret-path");
});

test("a webhook that does not answer is given up after five seconds and tried again", async () => {
  const { url, posts, got } = await hook(undefined);
  const clock = new VirtualClock(0);
  const { logger } = noting();
  const alerter = alerts({ webhook: url, clock, logger });
  alerter.raise(alert());
  await got(1);
  await clock.advance(5000);
  await runUntil(clock, got(2));
  await alerter.close();
  expect(posts).toHaveLength(2);
});

test("a close waits no longer than it is told", async () => {
  const { url, got } = await hook(undefined);
  const clock = new VirtualClock(0);
  const { logger } = noting();
  const alerter = alerts({ webhook: url, clock, logger });
  alerter.raise(alert({ code: "A" }));
  alerter.raise(alert({ code: "B" }));
  await got(1);
  const closing = alerter.close(1000);
  await clock.advance(1000);
  await closing;
  expect(clock.pending).toBe(0);
});

test.each(["ftp://example.org", "file:///etc/passwd", "example.org/hook", "", "https://kim:secret@example.org/hook"])(
  "the webhook %j is refused at the start",
  (webhook) => {
    const { logger } = noting();
    expect(() => alerts({ webhook, clock: new VirtualClock(0), logger })).toThrow(expect.objectContaining({ code: "PR_CONFIG_INVALID" }));
  },
);
