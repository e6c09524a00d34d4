import { append } from './append.ts';
import { bank } from './bank.ts';
import { counter } from './counter.ts';
import { lock } from './lock.ts';
import { longFork } from './long-fork.ts';
import { membership } from './membership.ts';
import { mixed } from './mixed.ts';
import { queue } from './queue.ts';
import { register } from './register.ts';
import { session } from './session.ts';
import { set } from './set.ts';
import { setFull } from './set-full.ts';
import { watch } from './watch.ts';
import type { Workload } from './workload.ts';
import { wr } from './wr.ts';

/** Every workload, by the name that `--workload` takes. */
export const workloads: ReadonlyMap<string, Workload> = new Map(
  [register, append, wr, bank, longFork, set, setFull, counter, queue, lock, watch, session, membership, mixed].map(
    (workload) => [workload.name, workload],
  ),
);
