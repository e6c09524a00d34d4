import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Op } from '../../checker/history/op.ts';
import { LineWriter } from '../../results/store/append.ts';
import { seededRandom } from '../generator/random.ts';
import { realClock } from '../runner/clock.ts';
import { conduct } from '../runner/conduct.ts';
import { latenessName } from '../runner/phase.ts';
import { Recorder } from '../runner/recorder.ts';
import { memory } from '../target/memory.ts';
import { workloads } from '../workload/index.ts';

const perSecondMin = 20_000;
const seconds = 5;
const seed = 7;
const concurrency = 20;

/**
 * What the harness itself can do: operations a second against a map in memory, each made by the generator, handed to
 * a client, and recorded twice (its beginning and its end) with a write to the file before anything else happens.
 * Asked for: the pace of the target, on a schedule that does not wait for answers. An operation's time is when it
 * began; how much later that was than the schedule meant is recorded, too, so that nothing is left out of a latency.
 * The core's share is CPU time, which other processes disturb least.
 */
export async function* harnessBench(): AsyncGenerator<string> {
  yield `harness: ${perSecondMin} operations a second asked for, ${seconds} s, ${concurrency} threads, one map in memory`;
  yield 'workload | operations/s | recorded lines/s | CPU of one core | operations/CPU s | late: mean ms | max ms | target';
  for (const workload of ['register', 'append', 'set']) yield await row(workload);
}

async function row(name: string): Promise<string> {
  const workload = workloads.get(name);
  if (workload === undefined) throw new Error(`no workload ${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'splitbrain-bench-'));
  const file = new LineWriter<Op>(join(folder, 'history.ndjson'));
  try {
    const clock = realClock();
    const random = seededRandom(seed, name);
    let lines = 0;
    let lateness: { readonly [part: string]: unknown } = {};
    const recorder = new Recorder((op) => {
      file.append(op);
      lines++;
      if (op.f === latenessName) lateness = op.value as typeof lateness;
    });
    const system = await memory.setUp({
      workload: name,
      nodes: 5,
      folder,
      opTimeoutMs: 1000,
      faults: [],
      options: {},
      random: (bound) => random.below(bound),
      now: () => clock.nowNs(),
    });
    const begun = process.cpuUsage();
    let used = { user: 0, system: 0 };
    await conduct({
      system,
      workload,
      workloadOptions: { keys: 50, opsPerKey: 500 },
      concurrency,
      ratePerS: perSecondMin,
      timeLimitNs: seconds * 1e9,
      convergeMaxNs: 1e9,
      clock,
      random,
      recorder,
      startNemesis: undefined,
      onPhase(phase) {
        if (phase === 'heal') used = process.cpuUsage(begun);
      },
    });
    const { operations, sumNs, maxNs } = numbers(lateness);
    const cpuS = (used.user + used.system) / 1e6;
    const perCpuS = operations / cpuS;
    const isMet = perCpuS >= perSecondMin;
    return [
      name,
      Math.round(operations / seconds),
      Math.round(lines / seconds),
      `${Math.round((100 * cpuS) / seconds)} %`,
      Math.round(perCpuS),
      (sumNs / operations / 1e6).toFixed(2),
      (maxNs / 1e6).toFixed(1),
      `${perSecondMin}${isMet ? '' : ' MISSED'}`,
    ].join(' | ');
  } finally {
    file.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function numbers(lateness: { readonly [part: string]: unknown }) {
  const { operations, sumNs, maxNs } = lateness;
  return { operations: Number(operations), sumNs: Number(sumNs), maxNs: Number(maxNs) };
}
