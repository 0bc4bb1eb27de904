import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/project.ts";
import { parityPage } from "./page.ts";

writeFileSync(join(ROOT, "docs/reference/parity.md"), parityPage());
