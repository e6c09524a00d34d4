/**
 * A target of one's own, whole: `splitbrain test --target harness/target/example/target.ts`. It teaches splitbrain to
 * start, use and break the store in `server.mjs`. Copy it, and change what your store does otherwise.
 */
import { join } from 'node:path';
import type { Outcome, Request } from '../target.ts';
import type { UserTarget } from '../user-target.ts';

const target: UserTarget = {
  name: 'example',
  workloads: ['register'],
  faults: ['partition', 'pause', 'kill'],
  nodes: { default: 3, most: 9 },
  options: {
    cache: { about: 'nodes answer reads from what they have seen', values: ['no', 'yes'], default: 'no' },
  },

  async setUp(options, tools) {
    const nodes = tools.nodes(options.nodes);
    const world = await tools.processes(options, async () => nodes.slice(0, 1));

    // Where each node listens, and where the harness reaches it: in a network of its own that is not the same.
    const urls = new Map<string, { readonly inside: string; readonly outside: string; readonly port: number }>();
    for (const node of nodes) {
      const port = await world.port();
      const inside = `http://${world.address(node)}:${port}`;
      urls.set(node, { inside, outside: `http://${await world.reach(node, port)}`, port });
    }
    const outside = (node: string): string => urls.get(node)?.outside ?? '';
    const answers = async (node: string): Promise<boolean> =>
      (await fetch(outside(node), { signal: AbortSignal.timeout(1000) })).ok;

    const primary = urls.get('1')?.inside ?? '';
    for (const [node, { port }] of urls) {
      world.add(node, {
        name: 'server',
        command: process.execPath,
        arguments: [
          join(import.meta.dirname, 'server.mjs'),
          ...[world.address(node), String(port), join(world.dataFolder(node), 'log'), primary],
          ...(options.options.cache === 'yes' ? ['cache'] : []),
        ],
        ready: () => answers(node),
      });
    }
    await world.startAll();

    return {
      nodes,
      world,
      client: (node) => tools.client((request) => perform(outside(node), request, options.opTimeoutMs)),
      async status() {
        const up = await Promise.all(nodes.map((node) => answers(node).catch(() => false)));
        return nodes
          .filter((_, at) => up[at])
          .map((node) => ({ node, leader: node === '1', term: 0, applied: 0, hash: '' }));
      },
      tearDown: () => world.stop(),
    };
  },
};

/**
 * One operation. `ok`: it happened. `fail`: it certainly did not, and will not. `info`: it may have, or may yet: when
 * in doubt, this; a `fail` that took effect after all would be a false alarm.
 */
async function perform(url: string, { f, key, value }: Request, timeoutMs: number): Promise<Outcome> {
  let status: number;
  let answer: { readonly value: Outcome['value'] };
  try {
    const body = JSON.stringify({ f, key, value });
    const response = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(timeoutMs) });
    status = response.status;
    answer = (await response.json()) as typeof answer;
  } catch (error) {
    // A read without an answer has no effect; nor has what was refused before it was sent.
    const { code } = (error instanceof Error ? (error.cause ?? {}) : {}) as { readonly code?: string };
    const certainlyNot = f === 'read' || code === 'ECONNREFUSED';
    return { type: certainlyNot ? 'fail' : 'info', error: code ?? String(error) };
  }
  if (status === 200) return f === 'read' ? { type: 'ok', value: answer.value ?? null } : { type: 'ok' };
  if (status === 409) return { type: 'fail', error: 'cas-mismatch' };
  return { type: f === 'read' || status === 503 ? 'fail' : 'info', error: `status-${status}` };
}

export default target;
