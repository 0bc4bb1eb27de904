import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePorts } from "./ports.ts";
import { type Direction, ProxiedConnection } from "./proxied-connection.ts";

/** A way to a server that can be made slow, dead or broken; without faults it passes every byte on. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** Delays every byte by that many ms each way, in order; 0 ends it. */
  latency(ms: number): void;
  /** Keeps all bytes while on, as a network does that drops packets: connections are accepted and stay, nothing comes through. Off: what was kept arrives. */
  blackHole(isOn: boolean): void;
  /** Breaks all connections of now with RST. New ones work. */
  reset(): void;
  /** Lets that many more bytes through, over all connections, and breaks the one that reaches it in mid-frame with RST. Once. Default: those to the server. */
  resetAfter(bytes: number, direction?: Direction): void;
  /** Breaks all connections and stops listening. May be called twice. */
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** The server's. */
  readonly port: number;
  /** Where to listen. Default: a free one. */
  readonly listenPort?: number;
}

/** A proxy on loopback before a server on loopback: `await using proxy = await faultProxy({ port })`. */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new Proxy(options.port, options.listenPort ?? (await freePorts(1))[0]!);
  await proxy.listen();
  return proxy;
}

/** The port of a server's URL. */
export function portOf(url: string): number {
  return Number(/:(\d+)(?=[/?]|$)/.exec(url)?.[1]);
}

/** The same URL by way of another port. */
export function urlThrough(url: string, port: number): string {
  return url.replace(/:\d+(?=[/?]|$)/, `:${port}`);
}

class Proxy implements FaultProxy {
  readonly port: number;
  readonly #target: number;
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  #latencyMs = 0;
  #isBlackHole = false;
  #left: { bytes: number; readonly direction: Direction } | undefined;

  constructor(target: number, port: number) {
    this.#target = target;
    this.port = port;
    // Half-open: a client that has said its last word still hears the answer.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  async listen(): Promise<void> {
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  latency(ms: number): void {
    this.#latencyMs = ms;
  }

  blackHole(isOn: boolean): void {
    this.#isBlackHole = isOn;
    if (!isOn) for (const connection of this.#connections) connection.flush();
  }

  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  resetAfter(bytes: number, direction: Direction = "toServer"): void {
    this.#left = { bytes, direction };
  }

  async close(): Promise<void> {
    this.reset();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(client: Socket): void {
    const server = connect({ port: this.#target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const connection = new ProxiedConnection(client, server, {
      delayMs: () => this.#latencyMs,
      isHeld: () => this.#isBlackHole,
      breakAt: (length, direction) => this.#breakAt(length, direction),
    });
    this.#connections.add(connection);
    client.once("close", () => this.#connections.delete(connection));
  }

  /** Behind which of these bytes the connection breaks, if it does. */
  #breakAt(length: number, direction: Direction): number | undefined {
    const left = this.#left;
    if (left === undefined || left.direction !== direction) return undefined;
    if (length >= left.bytes) {
      this.#left = undefined;
      return left.bytes;
    }
    left.bytes -= length;
    return undefined;
  }
}
