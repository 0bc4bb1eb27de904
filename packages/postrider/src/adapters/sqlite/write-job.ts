import { deferred } from "../../base/deferred.ts";
import type { Deferred } from "../../base/deferred.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Job } from "./turn.ts";
import type { Writer } from "./writer.ts";

/** Writes something small of our own that is not expected to fail. A volatile write resolves with its commit, any other once it is on the disk. */
export function write<Result>(writer: Writer, work: () => Result, options: { readonly isVolatile: boolean }): Promise<Result> {
  const job = new WriteJob(work, options.isVolatile);
  writer.enqueue(job);
  return job.promise;
}

class WriteJob<Result> implements Job {
  readonly isVolatile: boolean;
  readonly #work: () => Result;
  readonly #outcome: Deferred<Result> = deferred<Result>();
  #result: Result | undefined;

  constructor(work: () => Result, isVolatile: boolean) {
    this.#work = work;
    this.isVolatile = isVolatile;
  }

  get promise(): Promise<Result> {
    return this.#outcome.promise;
  }

  run(): void {
    this.#result = this.#work();
  }

  durable(): void {
    this.#outcome.resolve(this.#result as Result);
  }

  failed(error: PostriderError): void {
    this.#outcome.reject(error);
  }
}
