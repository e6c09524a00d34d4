import { type GraphBuilder, PROCESS, REALTIME, REALTIME_LINK } from './graph.ts';
import { FAIL, NONE, OK, type Transactions } from './transactions.ts';

/** Edges from each transaction to the next one of its process. A process ends with an uncertain outcome. */
export function processEdges(table: Transactions, graph: GraphBuilder): void {
  const last = new Map<number, number>();
  const [status, process, invoked, completed] = [
    table.status.data,
    table.process.data,
    table.invoked.data,
    table.completed.data,
  ];
  for (let t = 0; t < table.count; t++) {
    const before = last.get(process[t]!);
    if (before !== undefined && (invoked[t] === NONE || completed[before]! < invoked[t]!))
      graph.edge(before, t, PROCESS);
    if (status[t] === OK) last.set(process[t]!, t);
  }
}

/**
 * Real time: an edge from each transaction that completed to every one invoked later. A chain of junctions, one
 * for each run of completions that is followed by an invocation, stands for them: three edges a transaction,
 * whatever the concurrency.
 */
export function realtimeEdges(table: Transactions, graph: GraphBuilder): void {
  // Completions since the last invocation share a junction, which is made when the invocation comes.
  let junction = NONE;
  const waiting: number[] = [];
  let count = 0;
  table.eachMoment(
    (t) => {
      if (count > 0) {
        const next = graph.junction();
        for (let i = 0; i < count; i++) graph.edge(waiting[i]!, next, REALTIME);
        count = 0;
        if (junction !== NONE) graph.edge(junction, next, REALTIME_LINK);
        junction = next;
      }
      if (junction !== NONE && table.status.data[t] !== FAIL) graph.edge(junction, t, REALTIME_LINK);
    },
    (t) => {
      waiting[count++] = t;
    },
  );
}

/** Whether one transaction completed before the other was invoked. */
export function precedes(table: Transactions, before: number, after: number): boolean {
  const [completed, invoked] = [table.completed.data[before]!, table.invoked.data[after]!];
  return table.status.data[before] === OK && completed !== NONE && invoked !== NONE && completed < invoked;
}
