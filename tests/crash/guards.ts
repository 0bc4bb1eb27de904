import { join } from "node:path";
import { GuardedCopy } from "./guards/copy.ts";
import { GUARDS } from "./guards/guards.ts";

const ROOT = join(import.meta.dirname, "..", "..");

// Takes every guard, or those whose names have the given text in them, out of a copy of the library, one at a time; each must turn its test red.
const chosen = GUARDS.filter(({ name }) => name.includes(process.argv[2] ?? ""));
using copy = new GuardedCopy(ROOT);
console.log("| guard | taken out | test | without it |\n|---|---|---|---|");
for (const guard of chosen) {
  const { colour, detail } = await copy.without(guard);
  const why = colour === "red" ? ` (${typeof guard.finds === "string" ? guard.finds : guard.finds.text})` : "";
  console.log(`| ${guard.name} | ${guard.removal} | ${guard.test.file.split(".")[0]}: ${guard.test.name} | **${colour}**${why} |`);
  if (colour !== "red") console.error(detail);
  if (colour !== "red") process.exitCode = 1;
}
