import { mergeSections } from '../../../checker/verdict.ts';
import type { TestDescription } from '../../store/schema.ts';
import { createRun } from '../../store/write.ts';
import { sampleFaults, writeNode } from './cluster.ts';
import { registers, transactions, withPhases } from './histories.ts';
import type { SampleKind } from './kinds.ts';
import { sectionsOf } from './verdicts.ts';

export interface SampleOptions {
  readonly kind: SampleKind;
  readonly operations?: number;
}

/** Writes a made-up run of one kind below `root`, for tests and pictures of the report. Returns its folder. */
export function writeSampleRun(root: string, { kind, operations = 1200 }: SampleOptions): string {
  const world = kind === 'history' ? 'history' : kind === 'simulated' ? 'simulated' : 'real';
  const test: TestDescription = {
    name: kind === 'cycle' ? 'append' : 'register',
    seed: 42,
    started: '2026-11-22T16:00:00.000Z',
    world,
    workload: kind === 'cycle' ? 'append' : 'register',
    nodes: world === 'history' ? [] : ['1', '2', '3', '4', '5'],
    options: { nodes: 5, concurrency: 10, 'time-limit': 60, keys: 5, rate: 200 },
    versions: { splitbrain: '0.1.0', node: 'v20.20.2', kernel: 'Linux 6.18' },
    mechanisms: { partition: 'tcp-proxy', pause: 'sigstop', kill: 'sigkill', clock: 'preload-clock' },
    commands: {
      again: 'npx splitbrain test --workload register --seed 42 --time-limit 60',
      replay: 'npx splitbrain replay results/runs/register/latest',
      shrink: 'npx splitbrain shrink results/runs/register/latest',
      check: 'npx splitbrain check results/runs/register/latest',
    },
  };
  const run = createRun(root, test);
  const history = kind === 'cycle' ? transactions(operations) : registers(operations, kind);
  for (const op of world === 'history' ? history : withPhases(history)) run.history.append(op);
  if (kind !== 'history') {
    for (const fault of sampleFaults(history.at(-1)?.time ?? 0)) run.faults.append(fault);
    for (const node of test.nodes) writeNode(run.nodeFolder(node), node, history);
  }
  if (kind !== 'interrupted') run.writeResults(mergeSections(sectionsOf(kind, history)));
  run.close();
  return run.folder;
}
