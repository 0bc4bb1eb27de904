import { isNode, type Node, type Source, type Violation } from "./source.ts";

/** Exported names of the library that have no docstring. A name that is only passed on has its docstring where it is defined. */
export function docstringViolations(sources: readonly Source[]): readonly Violation[] {
  return sources
    .filter(({ path, isTest }) => path.startsWith("packages/postrider/src/") && !isTest)
    .flatMap((source) => {
      const documented = new Set(
        statementsOf(source)
          .filter((node) => hasDocstring(source, node))
          .flatMap(namesIn),
      );
      return statementsOf(source)
        .filter((node) => node.type === "ExportNamedDeclaration" && !isNode(node["source"]))
        .flatMap((node) => exportedNames(node).map((name) => ({ name, node })))
        .filter(({ name }) => !documented.has(name))
        .map(({ name, node }) => ({ file: source.path, line: source.lineAt(node.start), message: `${name} has no docstring` }));
    });
}

function statementsOf(source: Source): readonly Node[] {
  return (source.program.body as readonly unknown[]).filter(isNode);
}

/** Names that a statement declares, or that it exports from this file. */
function exportedNames(node: Node): readonly string[] {
  const specifiers = node["specifiers"] as readonly Node[];
  return [...namesIn(node), ...specifiers.map((specifier) => nameOf(specifier["local"]))];
}

function namesIn(statement: Node): readonly string[] {
  const node = isNode(statement["declaration"]) ? statement["declaration"] : statement;
  if (node.type === "VariableDeclaration") return (node["declarations"] as readonly Node[]).map((declarator) => nameOf(declarator["id"]));
  return isNode(node["id"]) ? [nameOf(node["id"])] : [];
}

function nameOf(value: unknown): string {
  return isNode(value) ? String(value["name"]) : "";
}

function hasDocstring(source: Source, node: Node): boolean {
  const doc = source.comments.findLast((comment) => comment.type === "Block" && comment.value.startsWith("*") && comment.end <= node.start);
  const between = doc === undefined ? "none" : source.text.slice(doc.end, node.start).replaceAll(/\/\/.*$/gm, "");
  return between.trim() === "";
}
