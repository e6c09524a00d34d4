import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Value } from '../../checker/history/op.ts';
import { createHttpExchange, type Result, Client as StoreClient } from '../../system/client/index.ts';
import { startCluster } from '../cluster/cluster.ts';
import type { Client, NodeStatus, Outcome, Request, SetUp, System, Target } from './target.ts';

/** The compiled system beside this compiled file. */
const ownSystem = fileURLToPath(new URL('../../system', import.meta.url));

/** How long a node may take to say what it believes; it asks nobody, so it answers at once or not at all. */
const statusTimeoutMs = 1000;

/** The Raft key-value store of `system/`: one process a node. */
export const kvstore: Target = {
  name: 'kvstore',
  workloads: ['register'],
  audited: true,
  breakable: true,
  async setUp(options: SetUp): Promise<System> {
    const cluster = await startCluster({
      nodes: options.nodes,
      folder: options.folder,
      main: join(options.systemFolder ?? ownSystem, 'main.js'),
      random: options.random,
      now: options.now,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.port === undefined ? {} : { portFirst: options.port }),
    });
    const { exchange, close } = createHttpExchange();
    const { opTimeoutMs: timeoutMs } = options;
    return {
      nodes: cluster.nodes,
      world: cluster,
      mechanisms: cluster.mechanisms,
      client: (node) => kvClient(new StoreClient(cluster.address(node), exchange), timeoutMs),
      status: () => statuses(cluster.nodes, (node) => new StoreClient(cluster.address(node), exchange)),
      async tearDown() {
        try {
          await close();
        } finally {
          await cluster.stop();
        }
      },
    };
  },
};

/** Carries operations out through the store's own client. */
export function kvClient(store: Pick<StoreClient, 'get' | 'put' | 'cas'>, timeoutMs: number): Client {
  return {
    invoke(request, done) {
      carryOut(store, request, timeoutMs).then(done, (error: unknown) =>
        // Nothing is known of a request during which the client itself broke.
        done({ type: 'info', error: `client-error ${error instanceof Error ? error.message : String(error)}` }),
      );
    },
    close() {},
  };
}

async function carryOut(
  store: Pick<StoreClient, 'get' | 'put' | 'cas'>,
  { f, key, value = null, op }: Request,
  timeoutMs: number,
): Promise<Outcome> {
  const name = typeof key === 'string' ? key : JSON.stringify(key);
  const options = { operationId: op, timeoutMs };
  switch (f) {
    case 'read':
      return outcome(await store.get(name, options), (found) => (found === null ? null : decode(found.value)));
    case 'write':
      return outcome(await store.put(name, encode(value), options));
    case 'cas': {
      const [expected = null, next = null] = Array.isArray(value) ? (value as readonly Value[]) : [];
      return outcome(await store.cas(name, expected === null ? null : encode(expected), encode(next), options));
    }
    default:
      return { type: 'fail', error: `unknown-operation ${f}` };
  }
}

/** Only what certainly did not happen is a failure. */
function outcome<T>(result: Result<T>, read?: (value: T) => Value): Outcome {
  if (!result.ok) return { type: result.outcome === 'none' ? 'fail' : 'info', error: result.error };
  return read === undefined ? { type: 'ok' } : { type: 'ok', value: read(result.value) };
}

/** Values stand in the store as JSON. */
function encode(value: Value): string {
  return JSON.stringify(value);
}

/** What is no JSON was never written by a run; it is shown as it is, for a checker to refuse. */
function decode(bytes: Uint8Array): Value {
  const text = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(text) as Value;
  } catch {
    return text;
  }
}

/** What each node says of itself, over whichever clients reach it. */
export async function statuses(
  nodes: readonly string[],
  client: (node: string) => StoreClient,
): Promise<readonly NodeStatus[]> {
  const answers = await Promise.all(
    nodes.map(async (node) => ({ node, answer: await client(node).status({ timeoutMs: statusTimeoutMs }) })),
  );
  return answers.flatMap(({ node, answer }) => {
    if (!answer.ok) return [];
    const { role, term, applied, hash } = answer.value;
    return [{ node, leader: role === 'leader', term, applied, hash }];
  });
}
