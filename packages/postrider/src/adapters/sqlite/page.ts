import type { SQLInputValue } from "node:sqlite";
import type { Page } from "../../ports/page.ts";

/** A page as SQL: by id downwards. */
export function pageClause(page: Page): { readonly where: string; readonly order: string; readonly parameters: readonly SQLInputValue[] } {
  const order = "order by id desc limit ?";
  if (page.after === undefined) return { where: "true", order, parameters: [page.limit] };
  return { where: "id < ?", order, parameters: [page.after, page.limit] };
}
