import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "amqplib";
import { freePorts } from "../ports.ts";
import { program } from "../programs.ts";
import type { Prepared, Program, Recipe, ServerOptions } from "../recipe.ts";
import { rabbitmqSecurity } from "./rabbitmq-security.ts";

const QUERY_LIMIT_MS = 5000;
const SETTLED_POLL_MS = 50;
const SETTLED_LIMIT_MS = 30_000;
const IMAGE = "rabbitmq:4-management";
const NODE = "postrider@localhost"; // on an epmd of its own: no other has that name
const COOKIE = "POSTRIDERTESTS"; // only this server and its own epmd read it, on loopback
const PLUGINS = "[rabbitmq_management,rabbitmq_auth_mechanism_ssl,rabbitmq_stream,rabbitmq_consistent_hash_exchange].\n";

/** RabbitMQ of the system's packages with its management API, user guest, on an epmd of its own. */
export const rabbitmqRecipe: Recipe = { missing, prepare, prepareContainer };

function missing(): string | undefined {
  if (serverScript() === undefined) return "RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)";
  return program("epmd") === undefined ? "epmd of Erlang is not installed" : undefined;
}

async function prepare(folder: string, options: ServerOptions): Promise<Prepared> {
  const [port, distribution, management, stream, epmd] = (await freePorts(5)) as [number, number, number, number, number];
  const ports = { port, distribution, management, stream, epmd };
  const secured = options.isSecure === true ? await rabbitmqSecurity(folder, at(port, management).managementUrl) : undefined;
  writeFiles(folder, ports, { ...secured?.settings, ...options.settings });
  const server: Program = {
    file: serverScript()!,
    args: [],
    cwd: folder,
    env: environment(folder, ports),
    endSignal: "SIGKILL", // a polite end takes 6 s, and nobody needs the data any more
    needsInput: true,
  };
  // Its own: the node would else start one that stays behind, on the standard port.
  const companion: Program = {
    file: program("epmd")!,
    args: ["-port", `${epmd}`, "-address", "127.0.0.1"],
    cwd: folder,
    endSignal: "SIGKILL",
  };
  return { ...at(port, management), ...secured?.prepared, program: server, companion, settled: () => settled(port, folder) };
}

async function prepareContainer(folder: string, { settings = {} }: ServerOptions): Promise<Prepared> {
  const [port, management] = (await freePorts(2)) as [number, number];
  const more = join(folder, "90-test.conf");
  writeFileSync(
    more,
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(""),
  );
  const ports = { [port]: 5672, [management]: 15_672 };
  return { ...at(port, management), program: { image: IMAGE, ports, files: { [more]: "/etc/rabbitmq/conf.d/90-test.conf" } } };
}

function at(
  port: number,
  management: number,
): { readonly url: string; readonly managementUrl: string; readonly query: () => Promise<void> } {
  const url = urlOf(port);
  return { url, managementUrl: `http://guest:guest@127.0.0.1:${management}`, query: () => query(url) };
}

function urlOf(port: number): string {
  return `amqp://guest:guest@127.0.0.1:${port}`;
}

interface Ports {
  readonly port: number;
  readonly distribution: number;
  readonly management: number;
  readonly stream: number;
  readonly epmd: number;
}

function writeFiles(folder: string, { port, management, stream }: Ports, settings: ServerOptions["settings"] = {}): void {
  mkdirSync(join(folder, "home"));
  writeFileSync(join(folder, "home", ".erlang.cookie"), COOKIE, { mode: 0o400 });
  writeFileSync(join(folder, "env.conf"), ""); // empty, but there: the system's own would override the node's name
  writeFileSync(join(folder, "enabled_plugins"), PLUGINS);
  const lines = [
    `listeners.tcp.local = 127.0.0.1:${port}`,
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${management}`,
    `stream.listeners.tcp.local = 127.0.0.1:${stream}`,
    "stream.advertised_host = 127.0.0.1",
    `stream.advertised_port = ${stream}`,
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
  ];
  writeFileSync(join(folder, "rabbitmq.conf"), `${lines.join("\n")}\n`);
}

function environment(folder: string, { port, distribution, epmd }: Ports): Record<string, string> {
  return {
    HOME: join(folder, "home"),
    RABBITMQ_NODENAME: NODE,
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: `${port}`,
    RABBITMQ_DIST_PORT: `${distribution}`,
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_CONF_ENV_FILE: join(folder, "env.conf"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: `${epmd}`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
    // The script becomes the server then, so that our child's pid is the server's.
    RABBITMQ_ALLOW_INPUT: "1",
    RABBITMQ_SERVER_START_ARGS: "-noshell",
  };
}

/** Not the one on the PATH, which switches user; the plain script beside the server's libraries. */
function serverScript(): string | undefined {
  const homebrew = program("rabbitmq-server", ["/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin"]);
  const plain = program("rabbitmq-server", ["/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin"]);
  if (plain !== undefined && dirname(plain).includes("lib/rabbitmq")) return plain;
  return homebrew?.includes("opt/rabbitmq") === true ? homebrew : undefined;
}

/** The names of quorum queues go to disk together: once a new one's is there, those before it are. */
async function settled(port: number, folder: string): Promise<void> {
  const names = join(folder, "mnesia", NODE, "quorum", NODE, "names.dets");
  const connection = await connect(urlOf(port), { timeout: QUERY_LIMIT_MS });
  try {
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue(`settled.${randomUUID()}`, { durable: true, arguments: { "x-queue-type": "quorum" } });
    const endsAt = performance.now() + SETTLED_LIMIT_MS;
    while (!readFileSync(names).includes(queue)) {
      if (performance.now() > endsAt) throw new Error(`RabbitMQ has not written down its queues within ${SETTLED_LIMIT_MS} ms`);
      await sleep(SETTLED_POLL_MS);
    }
    await channel.deleteQueue(queue);
  } finally {
    await connection.close();
  }
}

async function query(url: string): Promise<void> {
  const connection = await connect(url, { timeout: QUERY_LIMIT_MS });
  connection.on("error", () => undefined); // the channel rejects as well
  try {
    await connection.createChannel();
  } finally {
    await connection.close().catch(() => undefined);
  }
}
