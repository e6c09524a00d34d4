import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const lowest = 10_000;
const attemptsMax = 1000;

/**
 * Chooses a port on which a node can serve in all of its lives. It lies below the range that the kernel hands out to
 * outgoing connections: one of those could otherwise take the port while the node is down. Not seeded: which port it
 * is has no effect on a run, and two runs of one seed must not meet.
 */
export async function freePort(taken: ReadonlySet<number>): Promise<number> {
  const highest = Math.max(lowest + 1000, Math.min(firstEphemeralPort(), 65_535));
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = randomInt(lowest, highest);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port between ${lowest} and ${highest}`);
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    const listening = once(server, 'listening'); // Rejects on 'error'.
    server.listen(port, '127.0.0.1');
    await listening;
  } catch {
    return false;
  }
  const closed = once(server, 'close');
  server.close();
  await closed;
  return true;
}

function firstEphemeralPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
  } catch {
    return 32_768;
  }
}
