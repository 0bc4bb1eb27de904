import { hasCommentAt, isNode, type Node, type Source, type Violation, walk } from "./source.ts";

const FORBIDDEN: Readonly<Record<string, string>> = {
  ExportAllDeclaration: "`export *`: list the names",
  ExportDefaultDeclaration: "default export",
  TSEnumDeclaration: "enum: use a union of strings",
  TSParameterProperty: "parameter property: declare a #field",
};
const TYPE_DECLARATIONS = ["TSInterfaceDeclaration", "TSTypeAliasDeclaration"];
const TEST_WORDS = new Set(["it", "test", "describe", "suite", "bench"]);

/** Forms that the house does not use, and `any` without a reason beside it. */
export function formViolations(sources: readonly Source[]): readonly Violation[] {
  return sources.flatMap((source) => {
    const violations: Violation[] = [];
    const report = (node: Node, message: string): void =>
      void violations.push({ file: source.path, line: source.lineAt(node.start), message });
    walk(source.program, (node) => {
      const forbidden = FORBIDDEN[node.type];
      if (forbidden && !isConfiguration(source.path)) report(node, forbidden);
      if (node.type === "TSModuleDeclaration" && isNode(node["id"]) && node["id"].type === "Identifier" && node["kind"] !== "global")
        report(node, "namespace");
      if (node.type === "TSAnyKeyword" && !hasCommentAt(source, node.start)) report(node, "`any` without a reason in a comment");
    });
    return violations;
  });
}

/** The runner demands a default export of its configuration. */
function isConfiguration(path: string): boolean {
  return path.endsWith(".config.ts");
}

/** A port's file holds types, imports types, and passes nothing on. */
export function portViolations(sources: readonly Source[]): readonly Violation[] {
  return sources
    .filter(({ path, isTest }) => path.startsWith("packages/postrider/src/ports/") && !isTest)
    .flatMap((source) =>
      (source.program.body as readonly unknown[]).filter(isNode).flatMap((node) => {
        const mistake = portMistake(node);
        return mistake ? [{ file: source.path, line: source.lineAt(node.start), message: mistake }] : [];
      }),
    );
}

function portMistake(node: Node): string | undefined {
  if (TYPE_DECLARATIONS.includes(node.type)) return undefined;
  if (node.type === "ImportDeclaration") return isTypeImport(node) ? undefined : "a port imports types only";
  if (node.type !== "ExportNamedDeclaration") return "a port's file holds only types";
  if (!isNode(node["declaration"])) return "a port re-exports nothing";
  return TYPE_DECLARATIONS.includes(node["declaration"].type) ? undefined : "a port exports only types";
}

function isTypeImport(node: Node): boolean {
  const specifiers = node["specifiers"] as readonly Node[];
  return node["importKind"] === "type" || (specifiers.length > 0 && specifiers.every((specifier) => specifier["importKind"] === "type"));
}

/** No test is alone, and none is left out without a reason: in a comment beside it, or in the call. */
export function testMarkViolations(sources: readonly Source[]): readonly Violation[] {
  return sources
    .filter(({ isTest }) => isTest)
    .flatMap((source) => {
      const violations: Violation[] = [];
      walk(source.program, (node) => {
        if (node.type !== "MemberExpression" || !TEST_WORDS.has(rootOf(node))) return;
        const mark = isNode(node["property"]) ? String(node["property"]["name"]) : "";
        const at = { file: source.path, line: source.lineAt(node.start) };
        if (mark === "only") violations.push({ ...at, message: "`.only` leaves out all others" });
        if (["skip", "skipIf", "runIf", "todo"].includes(mark) && !hasCommentAt(source, node.start))
          violations.push({ ...at, message: `.${mark} without a reason in a comment` });
      });
      return violations;
    });
}

/** `test` of `test.concurrent.only`. */
function rootOf(node: Node): string {
  for (let at: unknown = node; isNode(at); at = at["object"] ?? at["callee"]) if (at.type === "Identifier") return String(at["name"]);
  return "";
}
