/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  readonly line: number;
  /** What follows the fence: `ts`, `ts run`, `text output`. */
  readonly info: readonly string[];
  readonly text: string;
  /** What the block prints, when a block marked `output` follows it. */
  readonly output: string | undefined;
}

const FENCE = /^(`{3,})([^\n`]*)\n([\s\S]*?)^\1[ \t]*$/gm;
const HEADING = /^(#{1,6}) .+$/gm;

/** All fenced blocks of a page, in order. */
export function blocksOf(page: string, markdown: string): readonly Block[] {
  const found = [...markdown.matchAll(FENCE)].map(({ index, 2: info = "", 3: text = "" }) => ({
    page,
    line: markdown.slice(0, index).split("\n").length,
    info: info.trim().split(/\s+/),
    text,
  }));
  return found.map((block, at) => ({ ...block, output: found[at + 1]?.info.includes("output") ? found[at + 1]?.text : undefined }));
}

/** The levels of a page's headings, in order; what looks like a heading inside a block is none. */
export function headingLevels(markdown: string): readonly number[] {
  return [...markdown.replaceAll(FENCE, "").matchAll(HEADING)].map(([, marks = ""]) => marks.length);
}
