import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { writeReport } from '../../results/report/build.ts';
import { files } from '../../results/store/layout.ts';
import { createRun } from '../../results/store/write.ts';
import { version } from '../version.ts';
import { codeVersion } from './code-version.ts';
import type { SimulationPlan } from './plan.ts';
import { parsePlan } from './plan-schema.ts';
import { wallOriginMs } from './sim-clock.ts';
import { type Simulated, simulate } from './simulation.ts';
import { loadSystem } from './system-module.ts';
import { Wiretap } from './wiretap.ts';

export interface Kept {
  readonly folder: string;
  readonly report: string;
  readonly ran: Simulated;
}

/**
 * Simulates a plan again and writes it down as a run folder like any other, with everything that its nodes said.
 * @param mutant the planted bug that `systemFolder` has, for the folder's name and for replaying it
 */
export async function keepRun(given: {
  readonly systemFolder: string;
  readonly plan: SimulationPlan;
  readonly mutant: string | undefined;
  readonly root: string;
}): Promise<Kept> {
  const { mutant } = given;
  // As it will be read again: its events tell of faults with their fields in this order.
  const plan = parsePlan(given.plan);
  const logs = new Map<string, string[]>();
  // A run that was made small is read as a story, and its messages with it.
  const wiretap = plan.script === undefined ? undefined : new Wiretap();
  const ran = await simulate(plan, await loadSystem(given.systemFolder), {
    ...(wiretap && { wiretap }),
    log(node, line) {
      const lines = logs.get(node) ?? [];
      logs.set(node, lines);
      lines.push(line);
    },
  });
  const { history, faults, cluster, results, eventHash, violations } = ran;
  const description = {
    name: `${plan.script === undefined ? 'sim' : 'shrunk'}-${mutant ?? plan.workload}`,
    seed: plan.seed,
    started: new Date().toISOString(),
    clockOrigin: new Date(wallOriginMs).toISOString(),
    world: 'simulated',
    workload: plan.workload,
    nodes: cluster.nodes,
    options: JSON.parse(
      JSON.stringify({
        target: 'kvstore',
        nemesis: plan.faults,
        swarm: plan.swarm,
        mutant: mutant ?? null,
        eventHash,
        plan,
      }),
    ),
    versions: {
      splitbrain: version,
      code: codeVersion(),
      node: process.versions.node,
      kernel: release(),
      target: 'kvstore',
    },
    mechanisms: Object.fromEntries(plan.faults.map((kind) => [kind, 'simulated'])),
  } as const;
  const run = createRun(given.root, { ...description, commands: {} });
  const { folder } = run;
  run.writeTest({
    ...description,
    commands: {
      again: `npx splitbrain replay ${folder}`,
      shrink: `npx splitbrain shrink ${folder}`,
      check: `npx splitbrain check ${folder}`,
    },
  });
  for (const op of history) run.history.append(op);
  for (const fault of faults) run.faults.append(fault);
  for (const { node, audit, life } of cluster.machines) {
    const nodeFolder = run.nodeFolder(node);
    writeFileSync(join(nodeFolder, files.audit), audit.join(''));
    writeFileSync(join(nodeFolder, files.log), lines(logs.get(node) ?? []));
    writeFileSync(join(nodeFolder, files.exits), lines(life.map((record) => JSON.stringify(record))));
  }
  if (wiretap !== undefined) {
    writeFileSync(join(folder, files.messages), lines(wiretap.messages.map((message) => JSON.stringify(message))));
  }
  writeFileSync(join(folder, files.steps), lines(violations.map((violation) => JSON.stringify(violation))));
  run.writeResults(results);
  run.close();
  return { folder, report: writeReport(folder), ran };
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
