import { TEST_FILE } from "./source.ts";
import { posix } from "node:path";
import type { Import } from "./imports.ts";
import type { Violation } from "./source.ts";

/** What a workspace beside the library may use of it: the subpaths that its package.json exports, and nothing of another folder. */
export function outsiderViolations(
  imports: readonly Import[],
  outsiders: readonly string[],
  subpaths: readonly string[],
): readonly Violation[] {
  const allowed = new Set(subpaths.map((subpath) => posix.join("postrider", subpath)));
  return imports.flatMap(({ from, specifier, target, line }) => {
    const home = outsiders.find((folder) => from.startsWith(`${folder}/`));
    if (home === undefined) return [];
    if (target !== undefined && !target.startsWith(`${home}/`))
      return [{ file: from, line, message: `reaches out of ${home}: ${specifier}` }];
    const isLibrary = specifier === "postrider" || specifier.startsWith("postrider/");
    return isLibrary && !allowed.has(specifier) ? [{ file: from, line, message: `${specifier} is not public` }] : [];
  });
}

/** A runtime import of the library is a Node module or one of its listed dependencies; a vendor's client may only be named by an adapter. */
export function dependencyViolations(
  imports: readonly Import[],
  dependencies: readonly string[],
  peers: readonly string[],
): readonly Violation[] {
  return imports
    .filter(({ from, target, specifier }) => target === undefined && isLibraryCode(from) && !specifier.startsWith("node:"))
    .filter(({ from, specifier }) => {
      const isPeerOfAdapter = from.includes("/adapters/") && peers.some((name) => isOf(specifier, name));
      return !isPeerOfAdapter && !dependencies.some((name) => isOf(specifier, name));
    })
    .map(({ from, line, specifier }) => ({ file: from, line, message: `${specifier} is not a dependency of the library` }));
}

function isLibraryCode(path: string): boolean {
  return path.startsWith("packages/postrider/src/") && !TEST_FILE.test(path);
}

function isOf(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}
