import type { SecureAccess } from "./secure-access.ts";
import type { FaultProxyOptions } from "./fault-proxy.ts";
import type { BrokerFound } from "./kinds.ts";

/** How one kind of server is started from what is installed here. */
export interface Recipe {
  /** What to install, or undefined if all is there. Quick: it looks, it does not fetch. */
  readonly missing: () => string | undefined;
  /** Makes data and configuration in an empty folder; called once per server. */
  readonly prepare: (folder: string, options: ServerOptions) => Promise<Prepared>;
  /** The same by Docker, for machines that have nothing installed. */
  readonly prepareContainer: (folder: string, options: ServerOptions) => Promise<Prepared>;
}

export interface ServerOptions {
  /** More settings of the server, in its own words: `-c` of PostgreSQL, `--` of MariaDB, rabbitmq.conf, server.properties. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Also with TLS and users: see the broker's `secure`. Default: no. Not by Docker. */
  readonly isSecure?: boolean;
}

/** A server that can be started any number of times, always on the same ports and data. */
export interface Prepared extends BrokerFound {
  /** The server first; it is the one that tests kill and freeze. */
  readonly program: Program | Container;
  /** Stays up while the server is killed and started again. */
  readonly companion?: Program;
  readonly secure?: SecureAccess;
  /** Where a proxy goes to and must listen, if the server sends clients to an address of its own. Default: to the URL's port, listening anywhere. */
  readonly proxied?: FaultProxyOptions;
  /** One try of a real query; rejects while the server cannot answer it. */
  readonly query: () => Promise<void>;
  /** Resolves once all that was declared until now survives SIGKILL. Default: it does at once. */
  readonly settled?: () => Promise<void>;
  /** Called once, after the first query that succeeded. */
  readonly afterFirstStart?: () => Promise<void>;
}

export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Inside the server's folder, so that the guard finds it there. */
  readonly cwd: string;
  /** Another user to run as. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Its end, when nobody needs its data any more. */
  readonly endSignal: NodeJS.Signals;
  /** Whether its standard input must be a pipe that stays open. */
  readonly needsInput?: boolean;
}

/** A container, made at its first start and kept through kills. */
export interface Container {
  readonly image: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Ports of loopback, and the container's behind them. */
  readonly ports: Readonly<Record<number, number>>;
  /** Files of the host, and where the container sees them. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** A program or container that has been started, once. */
export interface Run {
  readonly isOver: boolean;
  /** The end of what it printed. */
  output(): Promise<string>;
  /** Everything of it at once, as when a machine's power goes; resolves when it is gone. */
  kill(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Asks it to end, and kills it if it does not within that time (default 10 s). May be called twice. */
  end(limitMs?: number): Promise<void>;
}
