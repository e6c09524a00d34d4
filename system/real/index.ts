import type { Ports } from '../ports.ts';
import { realClock } from './clock.ts';
import { createRealFileSystem } from './file-system.ts';
import { realNetwork } from './network.ts';
import { createRealRandom } from './random.ts';

export { realClock } from './clock.ts';

/** @param dataDirectory where the node's files lie */
export function createRealPorts(dataDirectory: string): Ports {
  return {
    clock: realClock,
    random: createRealRandom(),
    fileSystem: createRealFileSystem(dataDirectory),
    network: realNetwork,
  };
}
