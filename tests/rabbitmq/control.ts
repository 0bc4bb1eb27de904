import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const LIBRARIES = "/usr/lib/rabbitmq/lib";

interface Node {
  readonly name: string;
  readonly os_pid: string;
}

/** The command line tool of the installed RabbitMQ, if it is where Debian puts it. */
export function controlTool(): string | undefined {
  if (!existsSync(LIBRARIES)) return undefined;
  const tools = readdirSync(LIBRARIES).map((version) => join(LIBRARIES, version, "sbin", "rabbitmqctl"));
  return tools.find((tool) => existsSync(tool));
}

/** Runs `rabbitmqctl` against a private server: it is reached as the server reaches itself, through its own environment. */
export async function control(managementUrl: string, ...args: readonly string[]): Promise<void> {
  const node = await nodeOf(managementUrl);
  const env = Object.fromEntries(
    readFileSync(`/proc/${node.os_pid}/environ`, "utf8")
      .split("\u0000")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const wanted = [
    "HOME",
    "PATH",
    "ERL_EPMD_PORT",
    "ERL_EPMD_ADDRESS",
    "RABBITMQ_CONF_ENV_FILE",
    "RABBITMQ_LOG_BASE",
    "RABBITMQ_MNESIA_BASE",
  ];
  const own = Object.fromEntries(wanted.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  await promisify(execFile)(controlTool()!, ["-n", node.name, ...args], { env: own, timeout: 60_000 });
}

/** A server knows its own process only a moment after its start. */
async function nodeOf(managementUrl: string): Promise<Node> {
  for (let tries = 0; tries < 100; tries++) {
    const [node] = (await management(managementUrl, "/api/nodes")) as readonly [Partial<Node>];
    if (node.name !== undefined && node.os_pid !== undefined) return { name: node.name, os_pid: node.os_pid };
    await sleep(100);
  }
  throw new Error("the server does not tell its process");
}

/** Asks the management API. */
async function management(managementUrl: string, path: string, method: string = "GET", body?: object): Promise<unknown> {
  const { username, password, origin } = new URL(managementUrl);
  const headers = {
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
    "content-type": "application/json",
  };
  const answer = await fetch(origin + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text === "" ? undefined : (JSON.parse(text) as unknown);
}
