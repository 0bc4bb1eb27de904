/** The part of Standard Schema 1 that Postrider calls: any validator that speaks it will do (zod, valibot, arktype …). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a validation gives: the value, or why not. */
export type SchemaResult<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema accepts. */
export type InputOf<Schema> = Schema extends { readonly "~standard": { readonly types?: { readonly input: infer Input } | undefined } }
  ? Input
  : never;

/** What a schema gives. */
export type OutputOf<Schema> = Schema extends { readonly "~standard": { readonly types?: { readonly output: infer Output } | undefined } }
  ? Output
  : never;
