// Runs one case and sends its result to the process that started it: see src/child.ts.
import type { CaseContext, CaseResult } from "./src/case.ts";
import { preload, type BacklogOptions } from "./src/cases/backlog.ts";
import { caseNamed } from "./src/catalogue.ts";
import type { Metrics } from "./src/measure.ts";

const [name = "", task = "{}"] = process.argv.slice(2);
const context = JSON.parse(task) as CaseContext & { readonly preload: BacklogOptions };
const found = name === "preload" ? await preload(context) : await caseNamed(name).run(context);
const result: CaseResult = isWhole(found) ? found : { metrics: found };
process.send?.(result);

function isWhole(result: Metrics | CaseResult): result is CaseResult {
  return typeof result["metrics"] === "object";
}
