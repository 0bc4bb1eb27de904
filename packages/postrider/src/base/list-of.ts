/**
 * A list of what is given, made young.
 *
 * A list or object that is written as a literal may be made old at once by the engine, if what is made there lived long at the start; when such a one dies it
 * keeps all it refers to until the next full collection. What waits for a commit does live long at the start. So on the way of a message what refers to it
 * is an instance of a class, or a list made here. Measured with a business row per message: 0.16 of all that was allocated outlived its use before,
 * docs/adr/0007-delivery-runtime.md.
 */
export function listOf<Item>(...items: Item[]): Item[] {
  return items;
}
