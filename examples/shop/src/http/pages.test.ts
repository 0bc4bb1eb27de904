import { expect, test } from "vitest";
import { preferred } from "./pages.ts";

test.each([
  ["", "en"],
  ["ko", "ko"],
  ["ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"],
  ["fr, en;q=0.5, ko;q=0.8", "ko"],
  ["de-DE", "en"],
  ["ko;q=0, en", "en"],
  ["kok", "en"],
])("a reader who prefers %j gets the page in %s", (header, language) => {
  expect(preferred(header)).toBe(language);
});
