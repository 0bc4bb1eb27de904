import { fail } from "../base/errors.ts";
import type { AnyContract, ContractKind } from "./contract.ts";

/** All versions of one contract. */
export interface ContractFamily {
  readonly name: string;
  readonly kind: ContractKind;
  /** Newest first. */
  readonly contracts: readonly AnyContract[];
  /** Versions with a contract, newest first. */
  readonly versions: readonly number[];
}

/** Contracts by name. Any text may be looked up: a name from a message finds a registered contract or nothing. */
export interface ContractIndex {
  /** All versions of a name. */
  family(name: string): ContractFamily | undefined;
  /** One version of a name. */
  find(name: string, version: number): AnyContract | undefined;
  /** All families, in the order in which they were first named. */
  readonly families: readonly ContractFamily[];
}

/**
 * Indexes contracts by name and version. The same contract may be given more than once.
 * @throws PR_CONFIG_INVALID when two different contracts have one name and version, or one name is both a command and an event; with every mistake
 */
export function contractIndex(contracts: Iterable<AnyContract>): ContractIndex {
  const byName = new Map<string, AnyContract[]>();
  const mistakes: string[] = [];
  for (const contract of contracts) {
    const known = byName.get(contract.name) ?? [];
    byName.set(contract.name, known);
    if (known.includes(contract)) continue;
    mistakes.push(...mistakesBeside(contract, known));
    known.push(contract);
  }
  if (mistakes.length > 0) throw fail("PR_CONFIG_INVALID", { mistakes: mistakes.join("; ") });
  const families = new Map([...byName].map(([name, known]) => [name, family(name, known)]));
  return {
    family: (name) => families.get(name),
    find: (name, version) => families.get(name)?.contracts.find((contract) => contract.version === version),
    families: [...families.values()],
  };
}

function mistakesBeside(contract: AnyContract, known: readonly AnyContract[]): string[] {
  const mistakes: string[] = [];
  if (known.some((other) => other.version === contract.version))
    mistakes.push(`${contract.name} v${contract.version} is declared twice; import one declaration on both sides`);
  if (known.some((other) => other.kind !== contract.kind)) mistakes.push(`${contract.name} is both a command and an event`);
  return mistakes;
}

function family(name: string, known: readonly AnyContract[]): ContractFamily {
  const contracts = [...known].sort((left, right) => right.version - left.version);
  return { name, kind: contracts[0]!.kind, contracts, versions: contracts.map((contract) => contract.version) };
}
