import { join } from "node:path";
import { startBroker } from "./broker.ts";
import type { Server } from "./process.ts";

/** A virtual host of a case's own. */
export interface VirtualHost extends AsyncDisposable {
  readonly url: string;
}

/** Starts a private RabbitMQ as it comes. Its address has that of the management API behind `#`. @throws Unavailable */
export async function startRabbitmq(folder: string): Promise<Server> {
  const broker = await startBroker("rabbitmq", join(folder, "broker"));
  const overview = (await management(broker.managementUrl!, "GET", "/api/overview")) as { readonly rabbitmq_version: string };
  const { url, managementUrl, [Symbol.asyncDispose]: stop } = broker;
  return { url: `${url}#${managementUrl!}`, version: overview.rabbitmq_version, [Symbol.asyncDispose]: stop };
}

/** Makes a virtual host that nobody has used. */
export async function virtualHost(server: string): Promise<VirtualHost> {
  const [address, managementUrl] = server.split("#") as [string, string];
  const name = `postrider-bench-${String(process.pid)}`;
  await management(managementUrl, "PUT", `/api/vhosts/${name}`);
  const url = new URL(address);
  url.pathname = `/${name}`;
  return { url: url.href, [Symbol.asyncDispose]: async () => void (await management(managementUrl, "DELETE", `/api/vhosts/${name}`)) };
}

async function management(managementUrl: string, method: string, path: string): Promise<unknown> {
  const { username, password, origin } = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const answer = await fetch(origin + path, { method, headers: { authorization } });
  if (!answer.ok) throw new Error(`${method} ${path}: ${String(answer.status)}`);
  return method === "GET" ? answer.json() : undefined;
}
