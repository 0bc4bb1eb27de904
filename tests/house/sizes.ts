import { type Node, type Source, type Violation, walk } from "./source.ts";

/** style.md: aim for 25, stop at 40. */
const MAX_FUNCTION_LINES = 40;
/** style.md: aim for 200, stop at 300. */
const MAX_FILE_LINES = 300;
const FUNCTIONS = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"];
const REASON = /\blong:\s*\S/;

/** Functions over 40 lines and files over 300. A reason after `long:` in a comment, right above the function or at the top of the file, lets it pass. */
export function sizeViolations(sources: readonly Source[]): readonly Violation[] {
  return sources.flatMap((source) => [...longFile(source), ...(source.isTest ? [] : longFunctions(source))]);
}

function longFile(source: Source): readonly Violation[] {
  const lines = source.text.trimEnd().split("\n").length;
  const isExplained = source.comments.some((comment) => source.lineAt(comment.start) <= 2 && REASON.test(comment.value));
  return lines > MAX_FILE_LINES && !isExplained
    ? [{ file: source.path, line: 1, message: `${lines} lines; ${MAX_FILE_LINES} at most` }]
    : [];
}

function longFunctions(source: Source): readonly Violation[] {
  const violations: Violation[] = [];
  walk(source.program, (node, parent) => {
    if (!FUNCTIONS.includes(node.type)) return;
    const lines = source.lineAt(node.end) - source.lineAt(node.start) + 1;
    if (lines <= MAX_FUNCTION_LINES || isExplained(source, parent ?? node)) return;
    violations.push({
      file: source.path,
      line: source.lineAt(node.start),
      message: `a function of ${lines} lines; ${MAX_FUNCTION_LINES} at most`,
    });
  });
  return violations;
}

/** The comment stands above the line on which the function, or the method or variable that holds it, begins. */
function isExplained(source: Source, holder: Node): boolean {
  const line = source.lineAt(holder.start);
  return source.comments.some((comment) => [line - 1, line].includes(source.lineAt(comment.end)) && REASON.test(comment.value));
}
