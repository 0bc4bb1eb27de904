import type { Checkpointer } from "./checkpoint.ts";
import type { Connection } from "./connection.ts";
import type { FileWatch } from "./file-watch.ts";
import type { LaneKeeper } from "./lane-keeper.ts";
import type { Logs } from "./logs.ts";
import type { Replies } from "./replies.ts";
import type { SpaceWatch } from "./space-watch.ts";
import type { Trimmer } from "./trim.ts";
import type { WalSync } from "./wal-sync.ts";
import type { Writer } from "./writer.ts";

/** What an open file consists of. */
export interface FileParts {
  readonly connection: Connection;
  readonly reader: Connection;
  readonly writer: Writer;
  /** Undefined where nothing is synced. */
  readonly sync: WalSync | undefined;
  readonly checkpointer: Checkpointer;
  readonly logs: Logs;
  readonly replies: Replies;
  readonly keeper: LaneKeeper;
  readonly trimmer: Trimmer;
  readonly watch: FileWatch;
  readonly space: SpaceWatch;
}
