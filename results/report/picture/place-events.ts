import type { Operation } from '../operation.ts';

/**
 * Places events in their order, each as far from the one before as the words of the operation that ends there
 * need, so that a lane diagram has room for them without wasting any.
 *
 * @param room how much an operation's words take, in the caller's unit
 * @param step the least distance between two events
 * @returns each event's place by its index in the history, from 0, and where the last one's room ends
 */
export function placeEvents(
  operations: readonly Operation[],
  room: (operation: Operation) => number,
  step: number,
): { readonly places: ReadonlyMap<number, number>; readonly end: number } {
  const ends = new Map<number, Operation>();
  for (const operation of operations) if (operation.complete !== undefined) ends.set(operation.complete, operation);
  const places = new Map<number, number>();
  let at = 0;
  for (const index of [...operations.map(({ invoke }) => invoke), ...ends.keys()].sort((a, b) => a - b)) {
    const ending = ends.get(index);
    const begun = ending === undefined ? undefined : places.get(ending.invoke);
    if (ending !== undefined && begun !== undefined) at = Math.max(at, begun + room(ending));
    places.set(index, at);
    at += step;
  }
  // One that never ends needs its room as well.
  const last = operations.filter(({ complete }) => complete === undefined);
  return {
    places,
    end: Math.max(at, ...last.map((operation) => (places.get(operation.invoke) ?? 0) + room(operation))),
  };
}
