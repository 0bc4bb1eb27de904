import { destinationOf } from "../envelope/outgoing.ts";
import type { AnyContract, Where } from "../contracts/contract.ts";
import { brokerLettersOf } from "../delivery/broker-letters.ts";
import { SERVICE_DEFAULTS } from "../delivery/service-runner.ts";
import type { PlacedReading } from "../delivery/service-runner.ts";
import type { Service } from "../pipeline/service.ts";
import { NO_PRIORITY } from "./compose.ts";
import type { Destination, Subscription, Topology, Transport } from "../ports/transport.ts";

/** What an app reads and writes, by transport. */
export interface AppTopology {
  readonly topologies: ReadonlyMap<Transport, Topology>;
  readonly subscriptions: readonly PlacedReading[];
  /** Everything wrong with it. */
  readonly mistakes: readonly {
    readonly code: "PR_OWNER_TWICE" | "PR_STORE_NEEDED" | "PR_FEATURE_REFUSED";
    readonly details: Readonly<Record<string, string>>;
  }[];
}

/** What the topology is made of. */
export interface TopologyInput {
  readonly services: readonly Service[];
  readonly external: readonly AnyContract[];
  readonly commands: Transport;
  readonly events: Transport;
  readonly lanes: number;
  /** Whether services have stores; without, the broker keeps their dead letters. */
  readonly hasStores: boolean;
}

/** Computes, from contracts and services alone, which destinations there are and who reads them. */
export function topologyOf(input: TopologyInput): AppTopology {
  const destinations = new Map<string, Destination>();
  const handled = input.services.flatMap((service) => service.handlers.map(({ contract }) => contract));
  for (const contract of [...handled, ...input.external]) {
    const name = destinationOf(contract);
    if (!destinations.has(name)) destinations.set(name, { name, kind: `${contract.kind}s`, lanes: input.lanes, isExternal: false });
  }
  for (const service of input.services)
    for (const name of Object.keys(service.options.foreign ?? {}))
      if (!destinations.has(name)) destinations.set(name, { name, kind: "events", lanes: input.lanes, isExternal: false });
  if (!input.hasStores) {
    for (const { name } of input.services)
      destinations.set(brokerLettersOf(name), { name: brokerLettersOf(name), kind: "commands", lanes: 1, isExternal: false });
  }
  const transportOf = (destination: Destination): Transport => (destination.kind === "events" ? input.events : input.commands);
  const subscriptions = input.services
    .flatMap((service) => subscriptionsOf(service, destinations))
    .map((subscription) => ({ transport: transportOf(subscription.destination), subscription }));
  for (const { transport, subscription } of subscriptions) addLetters(destinations, transport, subscription.destination);
  return {
    topologies: byTransport([...destinations.values()], subscriptions, transportOf),
    subscriptions,
    mistakes: [
      ...ownerMistakes(input.services),
      ...(input.hasStores ? [] : storeMistakes(input.services)),
      ...featureMistakes([...handled, ...input.external], input),
    ],
  };
}

function subscriptionsOf(service: Service, destinations: ReadonlyMap<string, Destination>): Subscription[] {
  const names = new Set([
    ...service.handlers.map(({ contract }) => destinationOf(contract)),
    ...Object.keys(service.options.foreign ?? {}),
  ]);
  const { prefetchCount, prefetchBytes } = { ...SERVICE_DEFAULTS, ...service.options };
  return [...names].map((name) => {
    const destination = destinations.get(name)!;
    // A command that nobody handles must be seen to be listed; events of others are not even fetched.
    const wantsAll = destination.kind === "commands" || service.options.foreign?.[name] !== undefined;
    const here = service.handlers.filter(({ contract }) => destinationOf(contract) === name);
    const types = [...new Set(here.map(({ contract }) => contract.name))];
    return {
      service: service.name,
      destination,
      types: wantsAll ? undefined : types,
      where: wheresOf(here),
      prefetchCount,
      prefetchBytes,
      from: destination.kind === "commands" ? "earliest" : (service.options.from ?? "earliest"),
    };
  });
}

/** Where the copies of a destination's dead letters go, if its transport writes any. */
function addLetters(destinations: Map<string, Destination>, { letterCopies }: Transport, destination: Destination): void {
  if (letterCopies === undefined) return;
  const name = letterCopies.destinationOf(destination.name);
  if (!destinations.has(name)) destinations.set(name, { ...destination, name });
}

/** Conditions that hold for all that the service wants of a type: only those may be pushed down. */
function wheresOf(handlers: Service["handlers"]): Record<string, Where> {
  const wheres: Record<string, Where> = Object.create(null) as Record<string, Where>;
  for (const { contract, options } of handlers) {
    const others = handlers.filter((other) => other.contract.name === contract.name);
    if (options.where !== undefined && others.length === 1) wheres[contract.name] = options.where;
  }
  return wheres;
}

function byTransport(
  destinations: readonly Destination[],
  subscriptions: readonly PlacedReading[],
  transportOf: (destination: Destination) => Transport,
): Map<Transport, Topology> {
  const topologies = new Map<Transport, { destinations: Destination[]; subscriptions: Subscription[] }>();
  const of = (transport: Transport): { destinations: Destination[]; subscriptions: Subscription[] } => {
    const known = topologies.get(transport) ?? { destinations: [], subscriptions: [] };
    topologies.set(transport, known);
    return known;
  };
  for (const destination of destinations) of(transportOf(destination)).destinations.push(destination);
  for (const { transport, subscription } of subscriptions) of(transport).subscriptions.push(subscription);
  return topologies;
}

function ownerMistakes(services: readonly Service[]): AppTopology["mistakes"] {
  const owners = new Map<string, Set<string>>();
  for (const service of services) {
    for (const { contract } of service.handlers)
      if (contract.kind === "command") owners.set(contract.name, (owners.get(contract.name) ?? new Set()).add(service.name));
  }
  return [...owners]
    .filter(([, names]) => names.size > 1)
    .map(([contract, names]) => ({ code: "PR_OWNER_TWICE" as const, details: { contract, services: [...names].join(" and ") } }));
}

/** What contracts ask for and their transport cannot: refused, never ignored. */
function featureMistakes(contracts: readonly AnyContract[], { commands, events }: TopologyInput): AppTopology["mistakes"] {
  return [...new Set(contracts)].flatMap((contract) => {
    const { name, capabilities } = contract.kind === "event" ? events : commands;
    const mistakes: AppTopology["mistakes"][number][] = [];
    if (contract.priority !== undefined && capabilities.priority === "none")
      mistakes.push(featureMistake(`the priority of ${contract.name}`, name, NO_PRIORITY));
    if (contract.ordered && capabilities.lanes === "none")
      mistakes.push(featureMistake(`the ordered contract ${contract.name}`, name, "nobody there keeps one owner for a key"));
    return mistakes;
  });
}

function featureMistake(feature: string, adapter: string, reason: string): AppTopology["mistakes"][number] {
  return { code: "PR_FEATURE_REFUSED", details: { feature, adapter, reason } };
}

/** What needs a store and can be told before anything runs. */
function storeMistakes(services: readonly Service[]): AppTopology["mistakes"] {
  return services.flatMap(({ name, handlers }) =>
    handlers
      .filter(({ contract }) => contract.ordered)
      .map(({ contract }) => ({
        code: "PR_STORE_NEEDED" as const,
        details: { feature: `the ordered contract ${contract.name}`, service: name },
      })),
  );
}
