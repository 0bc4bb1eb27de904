import { defineConfig } from "vitest/config";

const conditions = ["@postrider/source"];
const everything = ["packages/*/src", "examples/*", "bench", "tests"];
const ignored = ["**/node_modules/**", "**/dist/**", "**/.postrider/**"];
const named = (ending: string): string[] => everything.map((folder) => `${folder}/**/*${ending}`);

// Processes and brokers have the machine to themselves: they run after the pure tests, in groups.
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
};

export default defineConfig({
  ...shared,
  test: {
    // A test that passes on the second try has not passed.
    retry: 0,
    projects: [
      {
        ...shared,
        test: { name: "unit", include: named(".test.ts"), exclude: [...ignored, ...named(".int.test.ts"), ...named(".broker.test.ts")] },
      },
      {
        ...shared,
        test: {
          name: "int",
          sequence: { groupOrder: 1 },
          include: named(".int.test.ts"),
          exclude: ignored,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: "broker",
          sequence: { groupOrder: 2 },
          globalSetup: ["tests/brokers/global-setup.ts"],
          include: named(".broker.test.ts"),
          exclude: ignored,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: "types",
          include: [],
          exclude: ignored,
          typecheck: { enabled: true, only: true, include: named(".test-d.ts"), tsconfig: "packages/postrider/tsconfig.test.json" },
        },
      },
    ],
    passWithNoTests: true,
  },
});
