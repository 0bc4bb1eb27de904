// The shop's acceptance check on real brokers of its own, which are killed and started again while orders flow.
//
//   node tests/acceptance/on-brokers.ts --on mixed|mysql|kafka|rabbitmq|postgres [what the check itself takes, such as --orders 1000 --kills 20]
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BrokerKind } from "../brokers/kinds.ts";
import { ownBroker } from "../brokers/own.ts";
import type { OwnBroker } from "../brokers/own.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const CHECK = join(ROOT, "..", "shared", "acceptance", "shop.mjs");
const LINES_SHOWN = 300;
// Brokers, database, shop and check share the same processors: a broker that counts as dead after a second without one throws out every member of every group.
const SETTINGS: Partial<Record<BrokerKind, Readonly<Record<string, string>>>> = { kafka: { "broker.session.timeout.ms": "6000" } };
const SHOP = "node --conditions=@postrider/source examples/shop/src/main.ts";

/** What carries commands, what carries events, and where services remember. */
const SETUPS: Readonly<Record<string, readonly [commands: BrokerKind, events: BrokerKind, store: BrokerKind]>> = {
  mixed: ["rabbitmq", "kafka", "postgres"],
  mysql: ["rabbitmq", "kafka", "mariadb"],
  kafka: ["kafka", "kafka", "postgres"],
  rabbitmq: ["rabbitmq", "rabbitmq", "postgres"],
  postgres: ["postgres", "postgres", "postgres"],
};

const [flag, name = "", ...rest] = process.argv.slice(2);
const setup = flag === "--on" ? SETUPS[name] : undefined;
if (setup === undefined) throw new Error(`the first argument is --on ${Object.keys(SETUPS).join("|")}`);
process.exitCode = await check(setup, rest);

async function check(kinds: readonly [BrokerKind, BrokerKind, BrokerKind], options: readonly string[]): Promise<number> {
  await using started = new AsyncDisposableStack();
  const brokers = new Map<BrokerKind, OwnBroker>();
  await Promise.all(
    [...new Set(kinds)].map(async (kind) => brokers.set(kind, started.use(await ownBroker(kind, { settings: SETTINGS[kind] ?? {} })))),
  );
  const restarts = started.adopt(await restartServer([...brokers]), (server) => void server.close());
  const [commands, events, store] = kinds.map((kind) => brokers.get(kind)!.url);
  const disturb = `${process.execPath} -e "await (await fetch('http://127.0.0.1:${(restarts.address() as AddressInfo).port}')).text()"`;
  const log = join(await mkdtemp(join(tmpdir(), "postrider-acceptance-")), "shop.log");
  const run = spawn(process.execPath, [CHECK, "--project", ROOT, "--command", SHOP, "--disturb", disturb, "--log", log, ...options], {
    env: { ...process.env, SHOP_COMMANDS: commands, SHOP_EVENTS: events, SHOP_STORE: store },
    stdio: "inherit",
  });
  const [code] = (await once(run, "exit")) as [number | null];
  if (code !== 0) process.stdout.write(await strangeLines(log));
  await rm(dirname(log), { recursive: true });
  return code ?? 1;
}

/** What the shop's processes said that is no information or warning: why one of them ended, if one did. */
async function strangeLines(log: string): Promise<string> {
  const lines = (await readFile(log, "utf8")).split("\n").filter((line) => !/\{"level":[1-5]0\b/.test(line));
  return `── what the shop said\n${lines.slice(-LINES_SHOWN).join("\n")}\n`;
}

/** Each call kills the next broker and starts it again, and is answered once that answers. */
async function restartServer(brokers: readonly (readonly [BrokerKind, OwnBroker])[]): Promise<ReturnType<typeof createServer>> {
  let last: Promise<unknown> = Promise.resolve();
  let count = 0;
  const restart = async (): Promise<string> => {
    const [kind, broker] = brokers[count++ % brokers.length]!;
    await broker.kill();
    await broker.start();
    return `     ${kind} was killed and started again\n`;
  };
  const server = createServer((_request, response) => {
    const done = last.then(restart);
    last = done.catch(() => undefined);
    done.then(
      (text) => {
        process.stdout.write(text);
        response.end(text);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
