import { type GraphBuilder, RW, RW_LINK } from './graph.ts';

/**
 * An anti-dependency from every reader to every writer, except from a transaction to itself. Where these are many
 * they go through two chains of junctions: `until[i]` leads to the writers up to `i`, `from[i]` to those from `i`
 * on, so that a reader that is writer `i` enters both beside itself.
 */
export function overtakenBy(graph: GraphBuilder, readers: readonly number[], writers: readonly number[]): void {
  if (readers.length * writers.length <= readers.length + writers.length) {
    for (const reader of readers) for (const writer of writers) graph.edge(reader, writer, RW);
    return;
  }
  const until = writers.map(() => graph.junction());
  const from = writers.map(() => graph.junction());
  const place = new Map<number, number>();
  for (let i = 0; i < writers.length; i++) {
    place.set(writers[i]!, i);
    graph.edge(until[i]!, writers[i]!, RW_LINK);
    graph.edge(from[i]!, writers[i]!, RW_LINK);
    if (i > 0) graph.edge(until[i]!, until[i - 1]!, RW_LINK);
    if (i > 0) graph.edge(from[i - 1]!, from[i]!, RW_LINK);
  }
  for (const reader of readers) {
    const own = place.get(reader);
    if (own === undefined) graph.edge(reader, until[writers.length - 1]!, RW);
    else {
      if (own > 0) graph.edge(reader, until[own - 1]!, RW);
      if (own + 1 < writers.length) graph.edge(reader, from[own + 1]!, RW);
    }
  }
}
