import type { Page } from "../../ports/page.ts";

/** One page of what has an id: by id downwards, below `after`, at most `limit`. */
export function pageOf<Item extends { readonly id: string }>(items: readonly Item[], { after, limit }: Page): Item[] {
  const below = after === undefined ? [...items] : items.filter(({ id }) => id < after);
  return below.sort((left, right) => (left.id < right.id ? 1 : -1)).slice(0, limit);
}
