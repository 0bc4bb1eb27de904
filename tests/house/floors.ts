import { TEST_FILE } from "./source.ts";
import type { Import } from "./imports.ts";
import type { Violation } from "./source.ts";

const HOUSE = "packages/postrider/src/";
const TOP = 10;

/** Design §8: who lives where. A folder that is not named here has no floor yet, and must be given one in an ADR. */
const FLOORS: Readonly<Record<string, number>> = {
  base: 0,
  contracts: 1,
  envelope: 2,
  ports: 3,
  rows: 3.5,
  lanes: 3.5,
  pipeline: 4,
  telemetry: 4,
  registry: 4,
  inbox: 5,
  outbox: 5,
  scheduling: 5,
  deadletters: 5,
  effects: 5,
  delivery: 6,
  sagas: 6,
  eventsourcing: 6,
  bus: 7,
  presets: 8,
  testing: 9,
};
const ADAPTERS_FLOOR = 4;

/** An import goes down only; siblings on a floor are strangers; nothing inside imports an entry file. Tests may look anywhere. */
export function floorViolations(imports: readonly Import[]): readonly Violation[] {
  return imports
    .filter(({ from }) => from.startsWith(HOUSE) && !TEST_FILE.test(from))
    .flatMap((found) => (found.target === undefined ? [] : [floorViolation(found, found.target)]))
    .filter((violation) => violation !== undefined);
}

function floorViolation({ from, line }: Import, target: string): Violation | undefined {
  const violation = (message: string): Violation => ({ file: from, line, message });
  if (!target.startsWith(HOUSE)) return violation(`imports ${target}, which is outside the library`);
  if (TEST_FILE.test(target)) return violation(`imports the test ${target}`);
  const [own, other] = [roomOf(from), roomOf(target)];
  const [ownFloor, otherFloor] = [floorOf(own), floorOf(other)];
  if (ownFloor === undefined) return violation(`${own}/ has no floor; give it one in an ADR and in tests/house/floors.ts`);
  if (otherFloor === undefined) return violation(`${other}/ has no floor; give it one in an ADR and in tests/house/floors.ts`);
  if (otherFloor === TOP) return violation(`imports the entry ${target}; import the file that defines the name`);
  if (own === other || otherFloor < ownFloor) return undefined;
  if (otherFloor > ownFloor) return violation(`imports upward: ${own} (floor ${ownFloor}) → ${other} (floor ${otherFloor})`);
  if (own.startsWith("adapters/") && other.startsWith("adapters/")) return violation(`an adapter imports another: ${own} → ${other}`);
  return violation(`imports a stranger on its own floor ${ownFloor}: ${own} → ${other}`);
}

/** The folder that has a floor: `base`, `adapters/sqlite`; empty for an entry file. */
function roomOf(path: string): string {
  const parts = path.slice(HOUSE.length).split("/");
  if (parts.length === 1) return "";
  return parts[0] === "adapters" && parts.length > 2 ? `adapters/${parts[1]}` : (parts[0] ?? "");
}

function floorOf(room: string): number | undefined {
  if (room === "") return TOP;
  return room.startsWith("adapters/") ? ADAPTERS_FLOOR : FLOORS[room];
}
