import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Case } from "./case.ts";

/** What a run was asked to do. */
export interface RunOptions {
  readonly rounds: number;
  /** Names of cases or groups; empty = all. */
  readonly only: readonly string[];
  readonly isQuick: boolean;
  readonly isBig: boolean;
  readonly isList: boolean;
  /** Overrides how long every case measures. */
  readonly seconds: number | undefined;
  /** Where the results go. Default: a file of the day in `bench/results`, which git ignores. */
  readonly out: string | undefined;
  /** Where databases and servers keep their files. Default: the checkout's cache folder. */
  readonly folder: string;
}

/** How it is called. */
const USAGE = `usage: npm run bench -- [--rounds 3] [--only case,group,…] [--seconds 5] [--quick] [--big] [--out file.json] [--dir folder] [--list]`;

const DEFAULT_ROUNDS = 3;
const DEFAULT_FOLDER = join(import.meta.dirname, "..", "..", ".postrider", "bench");

/** Reads the command line. @throws Error with the mistake and the usage */
export function readOptions(args: readonly string[]): RunOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      only: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean" },
      big: { type: "boolean" },
      list: { type: "boolean" },
      out: { type: "string" },
      dir: { type: "string" },
    },
  });
  return {
    rounds: positive("--rounds", values.rounds) ?? (values.quick ? 1 : DEFAULT_ROUNDS),
    only: values.only?.split(",").filter((name) => name !== "") ?? [],
    isQuick: values.quick ?? false,
    isBig: values.big ?? false,
    isList: values.list ?? false,
    seconds: positive("--seconds", values.seconds),
    out: values.out === undefined ? undefined : resolve(values.out),
    folder: values.dir === undefined ? DEFAULT_FOLDER : resolve(values.dir),
  };
}

/** The cases that are meant. @throws Error when a name is none */
export function chosen(cases: readonly Case[], { only, isBig }: RunOptions): readonly Case[] {
  const unknown = only.filter((name) => !cases.some((each) => each.name === name || each.group === name));
  if (unknown.length > 0) throw new Error(`no case or group is called ${unknown.join(" or ")}; --list shows them`);
  const isAsked = (each: Case): boolean => only.includes(each.name) || only.includes(each.group);
  return cases.filter((each) => (only.length === 0 ? isBig || !each.isBig : isAsked(each)));
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not "${text}"\n${USAGE}`);
  return value;
}
