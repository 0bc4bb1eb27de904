import { fail } from "../../base/errors.ts";
import type { Destination, Topology, TopologyChange } from "../../ports/transport.ts";
import { closeChannel } from "./close-channel.ts";
import { DROPPED_LAYOUT, layoutOf } from "./layout.ts";
import type { BindingSpec, ExchangeSpec, Layout, LayoutPart, QueueSpec } from "./layout.ts";
import type { Link } from "./link.ts";
import { BATON_HEADER } from "./names.ts";
import type { ExistingPlace } from "./routing.ts";
import type { AmqpChannel, AmqpConfirmChannel } from "./vendor.ts";
import { replyCode, vendorText } from "./vendor.ts";

const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/**
 * The broker as a topology sees it. Everything is looked at by passive declarations, which change nothing; what is there is declared once more as it should be,
 * which the broker refuses with a reason where it differs.
 *
 * Not seen: bindings and queues that are there besides. AMQP has no way to ask for them.
 */
export class BrokerTopology {
  readonly #link: Link;
  readonly #existing: ReadonlyMap<string, ExistingPlace>;
  #channel: AmqpConfirmChannel | undefined;

  constructor(link: Link, existing: ReadonlyMap<string, ExistingPlace>) {
    this.#link = link;
    this.#existing = existing;
  }

  /** What would have to change. */
  async differences(topology: Topology): Promise<readonly TopologyChange[]> {
    const changes: TopologyChange[] = [];
    for (const destination of topology.destinations) changes.push(...(await this.#missingOf(destination)));
    for (const part of layoutOf(this.#ownOf(topology))) changes.push(...(await this.#changesOf(part)));
    await this.#close();
    return changes;
  }

  /** Makes what is missing. @throws PR_TOPOLOGY_DRIFT for what cannot be changed in place, or is somebody else's */
  async apply(topology: Topology): Promise<void> {
    const drift = (await this.differences(topology)).filter(({ action, thing }) => action === "change" || thing.startsWith("external "));
    if (drift.length > 0) {
      const changes = drift.map(({ thing, detail }) => `${thing} ${detail}`).join("; ");
      throw fail("PR_TOPOLOGY_DRIFT", { transport: "rabbitmq", changes });
    }
    await this.#make(DROPPED_LAYOUT);
    for (const { layout } of layoutOf(this.#ownOf(topology))) await this.#make(layout);
    await this.#close();
  }

  /** Without what stands for existing places: that is somebody else's, subscriptions to it included. */
  #ownOf({ destinations, subscriptions }: Topology): Topology {
    return {
      destinations: destinations.filter(({ name }) => !this.#existing.has(name)),
      subscriptions: subscriptions.filter(({ destination }) => !this.#existing.has(destination.name)),
    };
  }

  /** What of somebody else's is not there. */
  async #missingOf({ name, isExternal }: Destination): Promise<TopologyChange[]> {
    const missing = (what: string): TopologyChange => ({
      action: "create",
      thing: `external ${what}`,
      detail: "is not there, and is made by somebody else",
    });
    const place = this.#existing.get(name);
    if (place === undefined) {
      if (!isExternal || (await this.#isThere("exchange", name)) || (await this.#isThere("queue", name))) return [];
      return [missing(`destination ${name}`)];
    }
    const { queue, exchange } = place;
    const changes: TopologyChange[] = [];
    if (queue !== undefined && !(await this.#isThere("queue", queue))) changes.push(missing(`queue ${queue}`));
    if (exchange !== undefined && !(await this.#isThere("exchange", exchange))) changes.push(missing(`exchange ${exchange}`));
    return changes;
  }

  async #changesOf({ destination, subscription, layout }: LayoutPart): Promise<TopologyChange[]> {
    const what = subscription === undefined ? "" : `subscription of ${subscription.service}: `;
    const changes: TopologyChange[] = [];
    for (const exchange of layout.exchanges) {
      const detail = await this.#changeOf("exchange", exchange.name, (channel) => assertExchange(channel, exchange));
      if (detail === undefined) continue;
      if (exchange.name !== destination.name || detail === "") changes.push(changed(`${what}exchange ${exchange.name}`, detail));
      // With another number of lanes everything else differs too: that is one change, not twenty.
      else return [changed(`destination ${destination.name}`, lanesOf(destination.name, destination.lanes, detail))];
    }
    for (const queue of layout.queues) {
      const detail = await this.#changeOf("queue", queue.name, (channel) => assertQueue(channel, queue));
      if (detail !== undefined) changes.push(changed(`${what}queue ${queue.name}`, detail));
    }
    return changes;
  }

  /** Undefined where all is well, empty where it is missing, else what differs. */
  async #changeOf(
    kind: "exchange" | "queue",
    name: string,
    assert: (channel: AmqpChannel) => Promise<unknown>,
  ): Promise<string | undefined> {
    if (!(await this.#isThere(kind, name))) return "";
    try {
      await assert(await this.#open());
      return undefined;
    } catch (error) {
      this.#channel = undefined;
      if (replyCode(error) !== PRECONDITION_FAILED) throw failed("plan", error);
      return /inequivalent arg .*?(?=" *$|$)/.exec(vendorText(error))?.[0] ?? vendorText(error);
    }
  }

  async #isThere(kind: "exchange" | "queue", name: string): Promise<boolean> {
    const channel = await this.#open();
    try {
      await (kind === "exchange" ? channel.checkExchange(name) : channel.checkQueue(name));
      return true;
    } catch (error) {
      this.#channel = undefined;
      if (replyCode(error) === NOT_FOUND) return false;
      throw failed("plan", error);
    }
  }

  async #make({ exchanges, queues, bindings }: Layout): Promise<void> {
    try {
      const known = new Set<string>();
      for (const { name, hasBaton } of queues) if (hasBaton && (await this.#isThere("queue", name))) known.add(name);
      const channel = await this.#open();
      // An exchange must be there before it is named as an alternate one, or messages are dropped meanwhile.
      for (const exchange of exchanges.toReversed()) await assertExchange(channel, exchange);
      for (const queue of queues) await assertQueue(channel, queue);
      await Promise.all(bindings.map((binding) => bind(channel, binding)));
      for (const { name, hasBaton } of queues) if (hasBaton && !known.has(name)) putBaton(channel, name, 1);
      await channel.waitForConfirms();
    } catch (error) {
      this.#channel = undefined;
      throw failed("apply", error);
    }
  }

  async #open(): Promise<AmqpConfirmChannel> {
    this.#channel ??= await this.#link.confirmChannel();
    return this.#channel;
  }

  async #close(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) await closeChannel(this.#link.clock, channel);
  }
}

/** Puts a baton into a lane's high queue: whoever is its active consumer learns that the lane is his. */
function putBaton(channel: AmqpChannel, queue: string, epoch: number): void {
  channel.publish("", queue, Buffer.alloc(0), { persistent: true, headers: { [BATON_HEADER]: epoch } });
}

function changed(thing: string, detail: string): TopologyChange {
  return detail === "" ? { action: "create", thing, detail: "is not there" } : { action: "change", thing, detail };
}

function assertExchange(channel: AmqpChannel, { name, type, alternate }: ExchangeSpec): Promise<unknown> {
  return channel.assertExchange(name, type, alternate === undefined ? {} : { alternateExchange: alternate });
}

function assertQueue(channel: AmqpChannel, queue: QueueSpec): Promise<unknown> {
  return channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments });
}

function bind(channel: AmqpChannel, { source, to, name, key }: BindingSpec): Promise<unknown> {
  return to === "queue" ? channel.bindQueue(name, source, key) : channel.bindExchange(name, source, key);
}

function lanesOf(destination: string, lanes: number, detail: string): string {
  const there = new RegExp(`current is '${destination.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\.unrouted\\.(\\d+)'`).exec(detail)?.[1];
  return there === undefined ? detail : `has ${there} lanes instead of ${lanes}`;
}

function failed(during: string, cause: unknown): unknown {
  if ((cause as { readonly name?: unknown }).name === "PostriderError") return cause;
  return fail("PR_TRANSPORT_FAILED", { transport: "rabbitmq", during, detail: vendorText(cause) }, { cause });
}
