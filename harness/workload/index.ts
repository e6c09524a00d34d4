import { register } from './register.ts';
import type { Workload } from './workload.ts';

/** Every workload, by the name that `--workload` takes. */
export const workloads: ReadonlyMap<string, Workload> = new Map(
  [register].map((workload) => [workload.name, workload]),
);
