import { posix } from "node:path";
import { isNode, type Node, type Source, walk } from "./source.ts";

/** One file that names another: by `import`, `export … from`, `import()`, an import type, or the URL of a worker. */
export interface Import {
  readonly from: string;
  readonly specifier: string;
  /** Path of the file meant, when the specifier is relative. */
  readonly target: string | undefined;
  readonly line: number;
  /** A worker is started, not loaded: it is a use, but it closes no circle. */
  readonly isUrl: boolean;
}

/** Everything that a file names, type imports included. */
export function importsOf(source: Source): readonly Import[] {
  const found: Import[] = [];
  walk(source.program, (node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return;
    const target = specifier.startsWith(".") ? posix.join(posix.dirname(source.path), specifier) : undefined;
    found.push({ from: source.path, specifier, target, line: source.lineAt(node.start), isUrl: node.type === "NewExpression" });
  });
  return found;
}

function specifierOf(node: Node): string | undefined {
  if (["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression", "TSImportType"].includes(node.type)) {
    return textOf(node["source"] ?? node["argument"]);
  }
  return node.type === "NewExpression" ? relativeUrl(node) : undefined;
}

/** `new URL("./relay.worker.ts", import.meta.url)` names a file as an import does. */
function relativeUrl(node: Node): string | undefined {
  const [first, base] = node["arguments"] as readonly unknown[];
  const isUrl = isNode(node["callee"]) && node["callee"]["name"] === "URL";
  const isFromHere = isNode(base) && base.type === "MemberExpression" && isNode(base["object"]) && base["object"].type === "MetaProperty";
  const path = isUrl && isFromHere ? textOf(first) : undefined;
  return path?.endsWith(".ts") ? path : undefined;
}

function textOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === "TSLiteralType") return textOf(value["literal"]);
  return value.type === "Literal" && typeof value["value"] === "string" ? value["value"] : undefined;
}
