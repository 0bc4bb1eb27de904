import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { type Comment, parseSync, type Program } from "oxc-parser";

/** Files of a project by their path from its root, with forward slashes. A test may make one up. */
export type Tree = ReadonlyMap<string, string>;

/** Something that the house does not allow, and where. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** A file, parsed once. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly isTest: boolean;
  lineAt(offset: number): number;
}

/** Any node of the syntax tree, as a walk sees it. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const SKIPPED_FOLDERS = new Set(["node_modules", "dist", ".postrider", "results"]);
const SOURCE_FILE = /(?<!\.d)\.m?[tj]s$/;
/** Tests and what only they use. */
export const TEST_FILE: RegExp = /\.(test|test-d|test-support)\.ts$/;

/** Reads the source files below some folders of the project; a folder that is not there has none. */
export function readTree(root: string, folders: readonly string[]): Tree {
  const tree = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) visit(path);
      else if (entry.isFile() && SOURCE_FILE.test(path)) tree.set(path, readFileSync(join(root, path), "utf8"));
    }
  };
  for (const folder of folders) if (existsSync(join(root, folder))) visit(folder);
  return tree;
}

/** Parses every file of a tree whose path begins with `prefix`. */
export function parseTree(tree: Tree, prefix = ""): readonly Source[] {
  return [...tree].filter(([path]) => path.startsWith(prefix)).map(([path, text]) => parse(path, text));
}

function parse(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`);
  const lineStarts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
  const lineAt = (offset: number): number => lineStarts.findLastIndex((start) => start <= offset) + 1;
  return { path, text, program, comments, isTest: TEST_FILE.test(path), lineAt };
}

/** Visits every node below `root`, parents first. */
export function walk(root: unknown, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  if (Array.isArray(root)) {
    for (const item of root) walk(item, visit, parent);
  } else if (isNode(root)) {
    visit(root, parent);
    for (const key in root) if (key !== "type") walk(root[key], visit, root);
  }
}

/** Whether a value is a node of the syntax tree. */
export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** Whether a comment ends on the line of `offset` or on the one before. */
export function hasCommentAt(source: Source, offset: number): boolean {
  const line = source.lineAt(offset);
  return source.comments.some((comment) => [line - 1, line].includes(source.lineAt(comment.end)));
}
