import { appendFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { writeReport } from '../../results/report/build.ts';
import { files } from '../../results/store/layout.ts';
import { createRun } from '../../results/store/write.ts';
import { version } from '../version.ts';
import { planFor, type SimulationOptions } from './plan.ts';
import { simulate } from './simulation.ts';
import { loadSystem } from './system-module.ts';

export interface Kept {
  readonly folder: string;
  readonly eventHash: string;
}

/**
 * Simulates a seed again and writes it down as a run folder like any other, with everything that its nodes said.
 * @param mutant the planted bug, for the folder's name and the command that runs it again
 */
export async function keepRun(given: {
  readonly systemFolder: string;
  readonly options: SimulationOptions;
  readonly seed: number;
  readonly mutant: string | undefined;
  readonly root: string;
}): Promise<Kept> {
  const { options, seed, mutant } = given;
  const plan = planFor(options, seed);
  const logs = new Map<string, string[]>();
  const ran = await simulate(plan, await loadSystem(given.systemFolder), {
    log(node, line) {
      const lines = logs.get(node) ?? [];
      logs.set(node, lines);
      lines.push(line);
    },
  });
  const { history, faults, cluster, results, eventHash } = ran;
  const name = mutant === undefined ? `sim-${options.workload}` : `sim-${mutant}`;
  const run = createRun(given.root, {
    name,
    seed,
    started: new Date().toISOString(),
    world: 'simulated',
    workload: options.workload,
    nodes: cluster.nodes,
    options: JSON.parse(
      JSON.stringify({ target: 'kvstore', nemesis: plan.faults, simulation: options, plan, mutant, eventHash }),
    ),
    versions: { splitbrain: version, node: process.versions.node, kernel: release(), target: 'kvstore' },
    mechanisms: Object.fromEntries(plan.faults.map((kind) => [kind, 'simulated'])),
    commands: {},
  });
  for (const op of history) run.history.append(op);
  for (const fault of faults) run.faults.append(fault);
  for (const { node, audit, life } of cluster.machines) {
    const folder = run.nodeFolder(node);
    writeFileSync(join(folder, files.audit), audit.join(''));
    writeFileSync(join(folder, files.log), (logs.get(node) ?? []).map((line) => `${line}\n`).join(''));
    for (const record of life) appendFileSync(join(folder, files.exits), `${JSON.stringify(record)}\n`);
  }
  run.writeResults(results);
  run.close();
  writeReport(run.folder);
  return { folder: run.folder, eventHash };
}
