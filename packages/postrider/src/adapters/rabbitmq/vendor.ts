import { Writable } from "node:stream";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import type * as Vendor from "amqplib";
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Options } from "amqplib";
import { fail } from "../../base/errors.ts";

/** A connection of the client. */
export type AmqpConnection = ChannelModel;
/** A channel of the client. */
export type AmqpChannel = Channel;
/** A channel whose publishes are confirmed. */
export type AmqpConfirmChannel = ConfirmChannel;
/** A message as the client hands it over. */
export type AmqpMessage = ConsumeMessage;
/** What a message is published with. */
export type AmqpPublishOptions = Options.Publish;

/** How to reach a broker. */
export interface RabbitConnection {
  /** `amqp://user:secret@host:5672/vhost` or `amqps://…`; several are tried in turn. */
  readonly urls: readonly string[];
  /** TLS for `amqps:`, as `node:tls` takes it: certificate authorities, a client certificate, a server name. */
  readonly tls?: TlsOptions;
  /** How to say who we are. Default PLAIN with the URL's user; `EXTERNAL` goes by the client certificate. */
  readonly sasl?: "PLAIN" | "AMQPLAIN" | "EXTERNAL";
  /** How this process is called in the management console. */
  readonly clientName: string;
  /** Seconds without a sign of life after which half of it is asked for, and after twice of it the connection is given up. */
  readonly heartbeatSeconds: number;
  /** How long connecting may take, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/**
 * Opens a connection.
 * @throws PR_CONFIG_INVALID where the client is not installed, PR_TRANSPORT_FAILED
 */
export async function connectTo(connection: RabbitConnection, purpose: string, attempt: number): Promise<AmqpConnection> {
  const { connect, credentials } = await loadClient();
  const { urls, tls, sasl, clientName, heartbeatSeconds, connectTimeoutMs } = connection;
  const url = withHeartbeat(urls[attempt % urls.length]!, heartbeatSeconds);
  const { username, password } = new URL(url);
  const user = decodeURIComponent(username);
  const secret = decodeURIComponent(password);
  try {
    const connection = await connect(url, {
      ...tls,
      // Else the system waits for more to send: 40 ms for each lone message.
      noDelay: true,
      keepAlive: true,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: `${clientName} ${purpose}` },
      ...(sasl === "EXTERNAL" ? { credentials: credentials.external() } : {}),
      ...(sasl === "AMQPLAIN" ? { credentials: credentials.amqplain(user, secret) } : {}),
    });
    mergeWrites(connection);
    return connection;
  } catch (cause) {
    throw fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during: "connecting", detail: vendorText(cause) }, { cause });
  }
}

/** The socket below a connection, as far as the client shows it. */
function socketOf(connection: AmqpConnection): Partial<Writable> {
  return (connection.connection as { readonly stream?: Writable }).stream ?? {};
}

/** What the client writes in one turn, frame by frame, leaves in one system call. */
function mergeWrites(connection: AmqpConnection): void {
  const socket = socketOf(connection);
  if (!(socket instanceof Writable)) return;
  const write = socket.write.bind(socket) as (chunk: unknown) => boolean;
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  socket.write = (chunk: unknown): boolean => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      queueMicrotask(uncork);
    }
    return write(chunk);
  };
}

/** Ends a connection at once, without a word to the broker: for one that is dead, or for a process that plays dead. */
export function destroy(connection: AmqpConnection): void {
  // The client only ends its side when it gives up; a peer that never answers would keep the socket for ever.
  socketOf(connection).destroy?.();
}

/** The text of whatever the client threw, on one line. */
export function vendorText(thrown: unknown): string {
  const { message, code } = (thrown ?? {}) as { readonly message?: unknown; readonly code?: unknown };
  const text = typeof message === "string" && message !== "" ? message : String(code ?? thrown);
  return text.replace(/\s+/g, " ").slice(0, 500);
}

/** The reply code of the broker in an error of the client, such as 404 or 406. */
export function replyCode(thrown: unknown): number | undefined {
  const code = (thrown as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "number" ? code : undefined;
}

async function loadClient(): Promise<typeof Vendor> {
  try {
    return await import("amqplib");
  } catch (cause) {
    const mistakes = "rabbitmq() needs the package amqplib, which is not installed: npm install amqplib";
    throw fail("PR_CONFIG_INVALID", { mistakes }, { cause });
  }
}

function withHeartbeat(url: string, heartbeatSeconds: number): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(heartbeatSeconds));
  return parsed.href;
}
