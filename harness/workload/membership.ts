import { register } from './register.ts';
import type { Workload } from './workload.ts';

/** Registers while nodes join, leave, learn and vote, and leaders hand over. */
export const membership: Workload = {
  ...register,
  name: 'membership',
  about: 'linearizable registers while members change',
  faults: ['members', 'transfer', 'partition', 'kill'],
};
