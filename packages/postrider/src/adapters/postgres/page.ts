import type { Page } from "../../ports/page.ts";

/** The end of a statement that is paged by id, downwards; its values are {@link pageValues}. `at` is the number of the first placeholder. */
export function pageClause(at: number): string {
  return `($${at}::text is null or id < $${at}::text collate "C") order by id desc limit $${at + 1}`;
}

/** See {@link pageClause}. */
export function pageValues(page: Page): readonly [string | null, number] {
  return [page.after ?? null, page.limit];
}
