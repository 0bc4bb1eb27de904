import type { Clock } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { Destination, Retirement, Subscription, Topology, TopologyChange } from "../../ports/transport.ts";
import { MemoryDestination } from "./destination.ts";
import { Group } from "./group.ts";
import type { MemoryUnit, Participant } from "./transactions.ts";

const REPLY_PREFIX = "memory-reply:";

/** What a broker is made of. */
export interface BrokerOptions {
  readonly clock: Clock;
  /** Consumed messages kept per destination, for replay and new subscribers. */
  readonly keepMessages: number;
  /** How long a lane may take to change its owner, in milliseconds. */
  readonly revokeMs: number;
}

/** The messages of a world: its destinations, groups and reply inboxes. Survives a crash of those who use it. */
export class MemoryBroker implements Participant {
  readonly #options: BrokerOptions;
  readonly #destinations = new Map<string, MemoryDestination>();
  readonly #listeners = new Set<(message: Outgoing) => void>();
  readonly #replies = new Map<string, (message: FoundMessage) => void>();
  #enlisted: Outgoing[] = [];
  #unit: MemoryUnit | undefined;
  #inboxes = 0;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /** All destinations. */
  destinations(): IterableIterator<MemoryDestination> {
    return this.#destinations.values();
  }

  /** One destination. @throws PR_DESTINATION_UNKNOWN */
  destination(name: string): MemoryDestination {
    const found = this.#destinations.get(name);
    if (found === undefined) throw unknown(name);
    return found;
  }

  /** What is missing for a topology, and what is there besides. */
  difference(topology: Topology): TopologyChange[] {
    const changes: TopologyChange[] = [];
    const wanted = new Set(topology.destinations.map(({ name }) => name));
    for (const destination of topology.destinations) {
      const change = this.#changeOf(destination);
      if (change !== undefined) changes.push(change);
    }
    for (const { service, destination } of topology.subscriptions) {
      if (this.#destinations.get(destination.name)?.groups.has(service) === true) continue;
      changes.push({ action: "create", thing: `subscription of ${service} to ${destination.name}`, detail: "is not there" });
    }
    for (const name of this.#destinations.keys())
      if (!wanted.has(name)) changes.push({ action: "extra", thing: `destination ${name}`, detail: "is not in the topology" });
    return changes;
  }

  /** Makes what is missing. @throws PR_TOPOLOGY_DRIFT for what cannot be changed in place */
  apply(topology: Topology): void {
    const drift = topology.destinations.flatMap((destination) => {
      const change = this.#changeOf(destination);
      return change !== undefined && (change.action === "change" || destination.isExternal) ? [`${change.thing} ${change.detail}`] : [];
    });
    if (drift.length > 0) throw fail("PR_TOPOLOGY_DRIFT", { transport: "memory", changes: drift.join("; ") });
    for (const destination of topology.destinations) {
      if (!this.#destinations.has(destination.name))
        this.#destinations.set(destination.name, new MemoryDestination(destination, this.#options.keepMessages));
    }
    for (const subscription of topology.subscriptions) this.group(subscription);
  }

  /** The group of a subscription, made if it is new. @throws PR_DESTINATION_UNKNOWN */
  group(subscription: Subscription): Group {
    const { service } = subscription;
    const destination = this.destination(subscription.destination.name);
    const known = destination.groups.get(service);
    if (known !== undefined) return known;
    const { clock, revokeMs } = this.#options;
    const slots = destination.slots(subscription.from);
    const group = new Group({ service, destination: destination.destination.name, slots, clock, revokeMs });
    destination.groups.set(service, group);
    return group;
  }

  /** Forgets a group. @throws PR_DESTINATION_UNKNOWN, PR_SUBSCRIPTION_USED */
  retire({ service, destination: name, dropUnread }: Retirement): void {
    const destination = this.destination(name);
    const unread = destination.status().subscriptions.find((one) => one.service === service)?.backlog ?? 0;
    const refuse = (reason: string): never => {
      throw fail("PR_SUBSCRIPTION_USED", { service, destination: name, reason });
    };
    if (destination.groups.get(service)?.isRead === true) refuse("somebody reads it; stop the service first");
    if (unread > 0 && !dropUnread) refuse(`it has ${unread} unread messages; let them be handled, or say dropUnread`);
    destination.groups.delete(service);
  }

  /** Stores one message; why not, if not. */
  append(message: Outgoing): PostriderError | undefined {
    const destination = this.#destinations.get(message.destination);
    if (destination === undefined && !message.destination.startsWith(REPLY_PREFIX)) return unknown(message.destination);
    for (const listener of this.#listeners) listener(message);
    if (destination !== undefined) {
      destination.append(message, this.#options.clock.now());
      return undefined;
    }
    const { envelope, headers, body } = message;
    // Nobody listens any more: an answer to nobody is delivered.
    queueMicrotask(() => this.#replies.get(message.destination)?.({ envelope, headers, body }));
    return undefined;
  }

  /** Stores messages with the commit of this transaction. @throws PR_DESTINATION_UNKNOWN */
  enlist(unit: MemoryUnit, batch: readonly Outgoing[]): void {
    for (const { destination } of batch) if (!destination.startsWith(REPLY_PREFIX)) this.destination(destination);
    if (this.#unit !== unit) {
      unit.join(this);
      this.#unit = unit;
    }
    unit.assertOpen("enlist");
    for (const message of batch) this.#enlisted.push(message);
  }

  commit(): void {
    const messages = this.#enlisted;
    this.rollback();
    for (const message of messages) this.append(message);
  }

  rollback(): void {
    this.#enlisted = [];
    this.#unit = undefined;
  }

  /** Calls back for each message that is stored or answered, once it is committed; returns how to stop. */
  onStored(listener: (message: Outgoing) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Opens a place for answers. */
  openInbox(onReply: (message: FoundMessage) => void): string {
    const address = `${REPLY_PREFIX}${++this.#inboxes}`;
    this.#replies.set(address, onReply);
    return address;
  }

  /** Closes it. What comes later is dropped. */
  closeInbox(address: string): void {
    this.#replies.delete(address);
  }

  /** Everybody who used it is gone. */
  crash(): void {
    this.#replies.clear();
    for (const { groups } of this.#destinations.values()) for (const group of groups.values()) group.crash();
  }

  #changeOf(destination: Destination): TopologyChange | undefined {
    const there = this.#destinations.get(destination.name)?.destination;
    const thing = `destination ${destination.name}`;
    if (there === undefined) return { action: "create", thing, detail: "is not there" };
    if (there.lanes === destination.lanes) return undefined;
    return { action: "change", thing, detail: `has ${there.lanes} lanes instead of ${destination.lanes}` };
  }
}

function unknown(destination: string): PostriderError {
  return fail("PR_DESTINATION_UNKNOWN", { transport: "memory", destination });
}
