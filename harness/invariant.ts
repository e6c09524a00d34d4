/** States what must hold; the harness stops with the facts when it does not. */
export function invariant(
  holds: boolean,
  message: string,
  facts: { readonly [name: string]: unknown } = {},
): asserts holds {
  if (!holds) throw new Error(`${message} ${JSON.stringify(facts)}`);
}
