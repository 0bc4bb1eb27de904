import { basename, join } from "node:path";
import { answers } from "./answers.ts";
import type { SecureAccess } from "./secure-access.ts";
import { Child } from "./child.ts";
import { removeContainer, startContainer } from "./containers.ts";
import { type FaultProxy, faultProxy, portOf, urlThrough } from "./fault-proxy.ts";
import { guard } from "./guard.ts";
import type { BrokerFound, BrokerKind } from "./kinds.ts";
import type { Container, Prepared, Program, Recipe, Run, ServerOptions } from "./recipe.ts";

/** A server on loopback that belongs to who started it, and is gone with them. */
export interface OwnBroker extends BrokerFound, AsyncDisposable {
  /** How to get in with TLS and a user; there with `isSecure`. */
  readonly secure?: SecureAccess;
  /** SIGKILL to the server and all its processes; resolves when they are gone. Data stays as it is on disk. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data; resolves when it answers a real query. Does nothing while it runs. */
  start(): Promise<void>;
  /**
   * Resolves once all that was declared until now survives SIGKILL.
   *
   * Messages that are confirmed always do. But RabbitMQ writes down half a second later which quorum queues there are: one that is killed before that comes
   * back with a queue that nobody serves. The others settle at once.
   */
  settled(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  freeze(): Promise<void>;
  /** SIGCONT. */
  thaw(): Promise<void>;
  /** A way to it with faults; clients must use that way's `url`. One at a time. Closed by who asked for it. */
  proxy(): Promise<ProxiedBroker>;
  /** Ends it and removes its data. May be called twice. */
  close(): Promise<void>;
}

/** A broken way to a server. */
export interface ProxiedBroker extends FaultProxy {
  readonly url: string;
}

/** Starts a server from what is installed, else by Docker. Rejects with the end of its output if it does not answer within 2 minutes. */
export async function startServer(kind: BrokerKind, recipe: Recipe, options: ServerOptions): Promise<OwnBroker> {
  for (let start = 1; ; start++) {
    try {
      return await startOnce(kind, recipe, options);
    } catch (error) {
      // Between the look at a port and the server's listening another program may have taken it.
      if (start === STARTS || !PORT_TAKEN.test(String(error))) throw error;
    }
  }
}

const STARTS = 3;
const PORT_TAKEN = /address already in use|address in use|eaddrinuse|port is already allocated/i;

async function startOnce(kind: BrokerKind, recipe: Recipe, options: ServerOptions): Promise<OwnBroker> {
  const folder = guard().makeFolder(kind);
  try {
    const prepare = recipe.missing() === undefined ? recipe.prepare : recipe.prepareContainer;
    const server = new Server(kind, folder, await prepare(folder, options));
    await server.start();
    return server;
  } catch (error) {
    guard().removeFolder(folder);
    throw error;
  }
}

class Server implements OwnBroker {
  readonly url: string;
  readonly managementUrl?: string;
  readonly secure?: SecureAccess;
  readonly #kind: BrokerKind;
  readonly #folder: string;
  readonly #prepared: Prepared;
  readonly #containerName: string;
  #server: Run | undefined;
  #companion: Run | undefined;
  #isClosed = false;
  #hasAnswered = false;

  constructor(kind: BrokerKind, folder: string, prepared: Prepared) {
    this.url = prepared.url;
    if (prepared.managementUrl !== undefined) this.managementUrl = prepared.managementUrl;
    if (prepared.secure !== undefined) this.secure = prepared.secure;
    this.#kind = kind;
    this.#folder = folder;
    this.#containerName = basename(folder);
    this.#prepared = prepared;
  }

  async start(): Promise<void> {
    if (this.#isClosed) throw new Error(`${this.#kind} is closed`);
    if (this.#server !== undefined && !this.#server.isOver) return;
    const { program, companion } = this.#prepared;
    if (companion !== undefined && (this.#companion === undefined || this.#companion.isOver))
      this.#companion = new Child(companion, join(this.#folder, "companion.log"));
    this.#server = await this.#launch(program);
    try {
      await answers(this.#prepared.query, this.#server);
      if (!this.#hasAnswered) await this.#prepared.afterFirstStart?.();
      this.#hasAnswered = true;
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  async settled(): Promise<void> {
    await this.#prepared.settled?.();
  }

  async freeze(): Promise<void> {
    await this.#server?.freeze();
  }

  async thaw(): Promise<void> {
    await this.#server?.thaw();
  }

  async proxy(): Promise<ProxiedBroker> {
    const proxy = await faultProxy(this.#prepared.proxied ?? { port: portOf(this.url) });
    return Object.assign(proxy, { url: urlThrough(this.url, proxy.port) });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#end();
    if (!("file" in this.#prepared.program)) await removeContainer(this.#containerName);
    guard().removeFolder(this.#folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #launch(program: Program | Container): Promise<Run> {
    if ("file" in program) return new Child(program, join(this.#folder, "server.log"));
    return startContainer(this.#containerName, program);
  }

  async #end(): Promise<void> {
    await this.#server?.end();
    await this.#companion?.end();
  }
}
