import type { AnyContract, ContractKind } from "../contracts/contract.ts";
import { canRead, readableVersions } from "../contracts/read.ts";
import { compileWhere } from "../contracts/where.ts";
import type { FitsWhere } from "../contracts/where.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { HandlerDefinition } from "./service.ts";

/** A handler and what leads to it. */
export interface Route {
  readonly contract: AnyContract;
  readonly definition: HandlerDefinition;
  readonly handlerIndex: number;
  readonly fits: FitsWhere | undefined;
}

/** The handlers of one contract's versions in one service. */
export interface Routes {
  readonly kind: ContractKind;
  /** The versions that one of them reads, oldest first. */
  readonly readable: readonly number[];
  /** Who handles a version: its own handler, else the nearest newer one that upcasts from it. */
  find(version: number): Route | undefined;
  /** Whether a message was also published in a version that is read here. */
  readsAnother(envelope: Envelope): boolean;
}

/** The routes of a service by contract name. A name from a message finds these or nothing. */
export function routesOf(handlers: readonly HandlerDefinition[]): ReadonlyMap<string, Routes> {
  const byName = Map.groupBy(handlers.map(routeOf), (route) => route.contract.name);
  return new Map([...byName].map(([name, routes]) => [name, family(routes)]));
}

function routeOf(definition: HandlerDefinition, handlerIndex: number): Route {
  const { contract, options } = definition;
  return { contract, definition, handlerIndex, fits: options.where && compileWhere(options.where) };
}

function family(unordered: readonly Route[]): Routes {
  const routes = [...unordered].sort((left, right) => left.contract.version - right.contract.version);
  // Oldest first, and nobody reads versions newer than its own: the first that reads a version is its own or the nearest.
  const find = (version: number): Route | undefined => routes.find((route) => canRead(route.contract, version));
  return {
    kind: routes[0]!.contract.kind,
    readable: [...new Set(routes.flatMap((route) => readableVersions(route.contract)))].sort((left, right) => left - right),
    find,
    readsAnother: ({ adaptedto }) => adaptedto !== undefined && adaptedto.split(" ").some((version) => find(Number(version)) !== undefined),
  };
}
