import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** A process of the shop, as a user would start it. */
export interface ShopProcess {
  readonly url: string;
  readonly pid: number;
  /** Everything that it has printed. */
  readonly output: () => string;
  /** Signals it and resolves with its exit code. */
  readonly end: (signal: "SIGTERM" | "SIGKILL") => Promise<number | null>;
}

/** Starts a process of the shop and waits until it listens. */
export async function startProcess(environment: Readonly<Record<string, string>>): Promise<ShopProcess> {
  const child = spawn(process.execPath, ["--conditions=@postrider/source", MAIN], {
    env: { ...process.env, PORT: "0", SHOP_DEMO: "off", SHOP_STEP_MS: "20", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stderr.on("data", (chunk) => (output += String(chunk)));
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the shop ended with ${code} before it listened\n${output}`)));
    child.stdout.on("data", (chunk) => {
      output += String(chunk);
      const [, found] = /listening on (http:\/\/\S+)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  return { url, pid: child.pid!, output: () => output, end: (signal) => end(child, signal) };
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
  return child.exitCode;
}

/** A small HTTP server of a test's own. */
export async function startServer(
  answer: (request: IncomingMessage, body: string, response: ServerResponse) => void,
): Promise<{ readonly url: string; stop(): void }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(request, Buffer.concat(chunks).toString(), response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** One call with a JSON body and answer. */
export async function call(
  base: string,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly json: Record<string, unknown> }> {
  const response = await fetch(new URL(path, base), {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

/** Reads an event stream until an event satisfies, and returns the data of all that came. */
export async function eventsUntil<Data>(base: string, path: string, isLast: (data: Data) => boolean): Promise<Data[]> {
  const seen: Data[] = [];
  const response = await fetch(new URL(path, base), { headers: { accept: "text/event-stream" } });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
      const data = /^data: (.*)$/m.exec(text.slice(0, at))?.[1];
      text = text.slice(at + 2);
      if (data === undefined) continue;
      seen.push(JSON.parse(data) as Data);
      if (isLast(seen.at(-1)!)) return seen; // leaving the loop closes the connection
    }
  }
  throw new Error(`the stream ${path} ended early: ${JSON.stringify(seen)}`);
}
