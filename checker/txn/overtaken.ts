import { type GraphBuilder, RW, RW_LINK } from './graph.ts';

/**
 * An anti-dependency from every reader to every writer, except from a transaction to itself. Where these are many
 * they go through two chains of junctions: `from[i]` leads to the writers from `i` on, `until[i]` to those up to `i`.
 * Writers that are readers too come first: such a one, writer `i`, enters both chains beside itself, and nobody else
 * needs the second, which is as short as they are few.
 */
export function overtakenBy(graph: GraphBuilder, readers: readonly number[], writers: readonly number[]): void {
  if (readers.length * writers.length <= readers.length + writers.length) {
    for (const reader of readers) for (const writer of writers) graph.edge(reader, writer, RW);
    return;
  }
  const isReader = new Set(readers);
  const both = writers.filter((writer) => isReader.has(writer));
  const order = [...both, ...writers.filter((writer) => !isReader.has(writer))];
  const from = order.map(() => graph.junction());
  for (let i = 0; i < order.length; i++) {
    graph.edge(from[i]!, order[i]!, RW_LINK);
    if (i > 0) graph.edge(from[i - 1]!, from[i]!, RW_LINK);
  }
  const until = both.slice(1).map(() => graph.junction());
  for (let i = 0; i < until.length; i++) {
    graph.edge(until[i]!, both[i]!, RW_LINK);
    if (i > 0) graph.edge(until[i]!, until[i - 1]!, RW_LINK);
  }
  const place = new Map(both.map((writer, i) => [writer, i]));
  for (const reader of readers) {
    const own = place.get(reader) ?? -1;
    if (own > 0) graph.edge(reader, until[own - 1]!, RW);
    if (own + 1 < order.length) graph.edge(reader, from[own + 1]!, RW);
  }
}
