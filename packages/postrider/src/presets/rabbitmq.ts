import type { ConnectionOptions as TlsOptions } from "node:tls";
import { systemClock } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { uuidv7Ids } from "../base/ids.ts";
import type { Ids } from "../base/ids.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import type { ExistingPlace } from "../adapters/rabbitmq/routing.ts";
import { RabbitTransport } from "../adapters/rabbitmq/transport.ts";
import type { Logger } from "../ports/logger.ts";
import type { Transport } from "../ports/transport.ts";
import { jsonLogger } from "../telemetry/json-logger.ts";

/** What {@link rabbitmq} takes. */
export interface RabbitmqOptions {
  /** `amqp://user:secret@host:5672/vhost`, or `amqps://…`; of several, the next one is tried when one does not answer. */
  readonly url: string | readonly string[];
  /** For `amqps:`, as `node:tls` takes it. Default: the system's certificate authorities. */
  readonly tls?: TlsOptions;
  /** Default PLAIN with the URL's user. EXTERNAL goes by the client certificate in `tls`. */
  readonly sasl?: "PLAIN" | "AMQPLAIN" | "EXTERNAL";
  /** How this process is called in RabbitMQ's console. Default `postrider`. */
  readonly clientName?: string;
  /** Without a sign of life for twice as long a connection is given up. In seconds, default 10, at least 1. */
  readonly heartbeatSeconds?: number;
  /** How long one attempt to connect may take, in milliseconds. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** The most messages written and not confirmed. Default 1000. */
  readonly windowCount?: number;
  /** The most bytes that wait to be sent while the broker is away or slow; sends beyond are refused at once. Default 64 MiB. */
  readonly maxWaitingBytes?: number;
  /**
   * By destination: queues and exchanges of somebody else's that stand for it, of any kind, classic ones too. They are checked, never made. Every process
   * reads such a queue, beside the others: keys have no owner there, and no order across processes.
   */
  readonly existing?: Readonly<Record<string, ExistingPlace>>;
  /** The largest body in bytes. Default 16 MiB; the broker's own limit is 128 MiB unless it is configured otherwise. */
  readonly maxBodyBytes?: number;
  /** How long a lane that moves to another process waits for what runs, in milliseconds. Default 8000. */
  readonly revokeMs?: number;
  /** How often each subscription looks whether it has its fair share of the lanes, in milliseconds. Default 1000. */
  readonly rebalanceMs?: number;
  /** Default: JSON lines on stderr, from `warn` on. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: Ids;
}

const DEFAULT_WINDOW_COUNT = 1000;
const DEFAULT_WINDOW_BYTES = 16 * 1024 * 1024;
const DEFAULT_WAITING_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
const DEFAULT_HEARTBEAT_SECONDS = 10;
const DEFAULT_CONNECT_TIMEOUT_MS = 5000;
const DEFAULT_REVOKE_MS = 8000;
const DEFAULT_REBALANCE_MS = 1000;
const BATON_REFRESH_MS = 5 * 60_000; // RabbitMQ closes a channel with a message that is unsettled for 30 minutes

/**
 * Carries commands or events on RabbitMQ: quorum queues, confirmed publishes, one owner per lane.
 *
 * Delivery: at least once; effectively once by message id, through the inbox. Order: per key. Needs the package `amqplib` 2.3 or later and RabbitMQ 3.10 or later.
 * Durability: a resolved send is on the disks of a majority of the nodes that keep its queue. It cannot read old messages again.
 * @source docs/adr/0016-rabbitmq.md
 */
export function rabbitmq(options: string | RabbitmqOptions): Transport {
  const given: RabbitmqOptions = typeof options === "string" ? { url: options } : options;
  const clock = given.clock ?? systemClock;
  return new RabbitTransport({
    connection: {
      urls: checkedUrls(given.url),
      clientName: given.clientName ?? "postrider",
      heartbeatSeconds: Math.max(1, given.heartbeatSeconds ?? DEFAULT_HEARTBEAT_SECONDS),
      connectTimeoutMs: given.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      ...(given.tls === undefined ? {} : { tls: given.tls }),
      ...(given.sasl === undefined ? {} : { sasl: given.sasl }),
    },
    limits: {
      windowCount: given.windowCount ?? DEFAULT_WINDOW_COUNT,
      windowBytes: DEFAULT_WINDOW_BYTES,
      maxWaitingBytes: given.maxWaitingBytes ?? DEFAULT_WAITING_BYTES,
    },
    existing: new Map(Object.entries(given.existing ?? {})),
    maxBodyBytes: given.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    revokeMs: given.revokeMs ?? DEFAULT_REVOKE_MS,
    rebalanceMs: given.rebalanceMs ?? DEFAULT_REBALANCE_MS,
    batonRefreshMs: BATON_REFRESH_MS,
    clock,
    random: given.random ?? systemRandom,
    ids: given.ids ?? uuidv7Ids(clock),
    logger: given.logger ?? jsonLogger({ level: "warn", write: (line) => void process.stderr.write(line), clock }),
  });
}

function checkedUrls(url: string | readonly string[]): readonly string[] {
  const urls = typeof url === "string" ? [url] : url;
  const isGood = (one: string): boolean => URL.canParse(one) && ["amqp:", "amqps:"].includes(new URL(one).protocol);
  if (urls.length > 0 && urls.every(isGood)) return urls;
  // The URL itself has a secret in it: it is not shown.
  throw fail("PR_CONFIG_INVALID", { mistakes: "rabbitmq() needs a URL such as amqp://user:secret@host:5672/vhost, or amqps://…" });
}
