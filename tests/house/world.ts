import { isNode, type Node, type Source, type Violation, walk } from "./source.ts";

const GLOBALS = new Set(["setTimeout", "setInterval", "setImmediate", "randomUUID", "randomBytes", "getRandomValues", "randomInt"]);
const MEMBERS = new Set(["Date.now", "Math.random", "performance.now", "process.hrtime", "crypto.randomUUID", "AbortSignal.timeout"]);
const MODULES = /^(node:)?timers(\/promises)?$/;

/** Clock, random, ids and timers are injected: only `base/` touches the real ones. Tests may. */
export function worldViolations(sources: readonly Source[]): readonly Violation[] {
  return sources
    .filter(({ path, isTest }) => !isTest && path.startsWith("packages/postrider/src/") && !path.startsWith("packages/postrider/src/base/"))
    .flatMap((source) => {
      const violations: Violation[] = [];
      walk(source.program, (node, parent) => {
        const used = rawUse(node, parent);
        if (used)
          violations.push({
            file: source.path,
            line: source.lineAt(node.start),
            message: `${used} outside base/; take it from the context`,
          });
      });
      return violations;
    });
}

function rawUse(node: Node, parent: Node | undefined): string | undefined {
  if (node.type === "MemberExpression") return memberUse(node);
  if (node.type === "NewExpression" || node.type === "CallExpression") return dateUse(node);
  if (node.type === "ImportDeclaration") return moduleUse(node);
  const isReference = node.type === "Identifier" && GLOBALS.has(String(node["name"])) && !isName(node, parent);
  return isReference ? String(node["name"]) : undefined;
}

function memberUse(node: Node): string | undefined {
  const name = `${nameOf(node["object"])}.${nameOf(node["property"])}`;
  if (MEMBERS.has(name)) return name;
  const isGlobal = nameOf(node["object"]) === "globalThis" || nameOf(node["object"]) === "crypto";
  return isGlobal && GLOBALS.has(nameOf(node["property"])) ? name : undefined;
}

/** A date made of a number is arithmetic; one made of nothing is a clock. */
function dateUse(node: Node): string | undefined {
  const isNow = nameOf(node["callee"]) === "Date" && (node["arguments"] as readonly unknown[]).length === 0;
  return isNow ? "Date()" : undefined;
}

function moduleUse(node: Node): string | undefined {
  const module = isNode(node["source"]) ? String(node["source"]["value"]) : "";
  return MODULES.test(module) ? module : undefined;
}

/** Whether an identifier only names a property, so that it reaches no global. */
function isName(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined) return false;
  if (parent.type === "MemberExpression") return parent["property"] === node && parent["computed"] !== true;
  return (
    ["Property", "PropertyDefinition", "MethodDefinition", "TSPropertySignature", "TSMethodSignature"].includes(parent.type) &&
    parent["key"] === node &&
    parent["shorthand"] !== true
  );
}

function nameOf(value: unknown): string {
  return isNode(value) && value.type === "Identifier" ? String(value["name"]) : "";
}
