/** A page of a list, by id downwards: ids begin with their time, so newest first. */
export interface Page {
  readonly limit: number;
  /** Only ids below this one: the last one seen. It need not be there any more, nor in this store. */
  readonly after?: string;
}
