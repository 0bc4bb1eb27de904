/** What the thread that checkpoints is asked. */
export type CheckpointOrder = "passive" | "restart" | "truncate" | "end";

/** What it answers. */
export type CheckpointAnswer =
  | { readonly logFrames: number; readonly movedFrames: number; readonly isComplete: boolean }
  | { readonly error: string };
