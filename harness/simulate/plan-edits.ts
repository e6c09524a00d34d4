import type { Op } from '../../checker/history/op.ts';
import { restName, type ScriptedFault, scriptOf } from '../../nemesis/script.ts';
import type { FaultRecord, NodeId } from '../../nemesis/world.ts';
import type { ScriptedOp } from '../generator/scripted.ts';
import { phaseStart } from '../runner/phase.ts';
import type { SimulationPlan } from './plan.ts';

/** A plan that says of each operation and each fault when and to whom it happens, and so can be made smaller. */
export interface ScriptedPlan extends SimulationPlan {
  readonly script: NonNullable<SimulationPlan['script']>;
}

/** What a run did, as a plan of its own: the operations and faults on record, at their times. */
export function asScript(plan: SimulationPlan, history: readonly Op[], faults: readonly FaultRecord[]): ScriptedPlan {
  const heal = phaseStart(history, 'heal');
  const operations = history.slice(0, heal).flatMap((op): ScriptedOp[] => {
    const { time, process, type, f, key, value } = op;
    if (type !== 'invoke' || process === 'nemesis') return [];
    const thread = process % plan.concurrency;
    return [{ time, thread, f, ...(key === undefined ? {} : { key }), ...(value === undefined ? {} : { value }) }];
  });
  // A fault that healing ended has no end of its own: at that very moment others may do other things first.
  const healedNs = heal === undefined ? Number.POSITIVE_INFINITY : history[heal]!.time;
  const ownEnds = faults.filter(({ phase, time }) => phase === 'start' || time < healedNs);
  return withFaults({ ...plan, script: { operations, faults: [] } }, scriptOf(ownEnds));
}

/** Only faults that are in the script are asked for. */
export function withFaults(plan: ScriptedPlan, faults: readonly ScriptedFault[]): ScriptedPlan {
  const kinds = [...new Set(faults.map(({ kind }) => kind))].filter((kind) => kind !== restName);
  return { ...plan, faults: kinds, script: { ...plan.script, faults } };
}

export function withOperations(plan: ScriptedPlan, operations: readonly ScriptedOp[]): ScriptedPlan {
  return { ...plan, script: { ...plan.script, operations } };
}

/**
 * Only what happens between two times, moved so that it begins at `leadMs`, which leaves time for an election. A
 * fault that was on already begins there.
 */
export function window(plan: ScriptedPlan, fromMs: number, toMs: number, leadMs: number): ScriptedPlan {
  const [from, to] = [Math.round(fromMs * 1e6), Math.round(toMs * 1e6)];
  const shift = Math.round(leadMs * 1e6) - from;
  const { operations, faults } = plan.script;
  const kept = operations.filter(({ time }) => time >= from && time < to);
  const on = faults.filter(({ startNs, endNs }) => endNs > from && startNs < to);
  const moved = on.map((fault) => ({
    ...fault,
    startNs: Math.max(from, fault.startNs) + shift,
    endNs: Math.min(to, fault.endNs) + shift,
  }));
  const timeLimitMs = Math.max(1, Math.ceil((to + shift) / 1e6));
  const placed = kept.map((op) => ({ ...op, time: op.time + shift }));
  return withOperations(withFaults({ ...plan, timeLimitMs }, moved), placed);
}

/**
 * A cluster of only these nodes, which become 1, 2, … in their order: with the operations that were sent to them, and
 * what of each fault was theirs.
 */
export function withNodes(plan: ScriptedPlan, kept: readonly NodeId[]): ScriptedPlan {
  const renamed = new Map(kept.map((node, at) => [node, String(at + 1)]));
  const names = (nodes: readonly NodeId[]) => nodes.flatMap((node) => renamed.get(node) ?? []);
  const faults = plan.script.faults.flatMap((fault): ScriptedFault[] => {
    const { nodes, links, ...rest } = fault.chosen;
    const left = links?.flatMap(({ from, to }) => {
      const [a, b] = [renamed.get(from), renamed.get(to)];
      return a === undefined || b === undefined ? [] : [{ from: a, to: b }];
    });
    const chosen = { ...rest, nodes: names(nodes), ...(left && { links: left }) };
    return left?.length === 0 || (left === undefined && chosen.nodes.length === 0) ? [] : [{ ...fault, chosen }];
  });
  const threads = new Map<number, number>();
  for (let thread = 0; thread < plan.concurrency; thread++) {
    const at = kept.indexOf(String((thread % plan.nodes) + 1));
    if (at >= 0) threads.set(thread, at + kept.length * Math.floor(thread / plan.nodes));
  }
  const operations = plan.script.operations.flatMap((op) => {
    const thread = threads.get(op.thread);
    return thread === undefined ? [] : [{ ...op, thread }];
  });
  const concurrency = Math.max(0, ...threads.values()) + 1;
  return withOperations(withFaults({ ...plan, nodes: kept.length, concurrency }, faults), operations);
}

/** All choices of so many of the nodes. */
export function subsets(nodes: readonly NodeId[], size: number): readonly (readonly NodeId[])[] {
  if (size === 0) return [[]];
  return nodes.flatMap((node, at) => subsets(nodes.slice(at + 1), size - 1).map((rest) => [node, ...rest]));
}
