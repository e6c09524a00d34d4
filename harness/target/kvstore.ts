import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faultKinds } from '../../nemesis/kinds.ts';
import { createHttpExchange, readModes, Client as StoreClient } from '../../system/client/index.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { kvClient, kvWorkloads } from './kv-operations.ts';
import { statuses } from './kv-statuses.ts';
import { inSession } from './session-store.ts';
import type { SetUp, System, Target } from './target.ts';

/** The compiled system beside this compiled file. */
const ownSystem = fileURLToPath(new URL('../../system', import.meta.url));

const leaderMaxMs = 20_000;
const leaderPollMs = 20;

/** The Raft key-value store of `system/`: one process a node. */
export const kvstore: Target = {
  name: 'kvstore',
  workloads: kvWorkloads,
  audited: true,
  faults: faultKinds,
  nodes: { default: 5, most: 25 },
  options: {
    reads: {
      about: 'How kvstore reads keys (a lease asks for clocks of like rates, so none is bent in its rate then)',
      values: readModes,
      default: 'linearizable',
    },
    sessions: {
      about: 'Clients of kvstore send a write again while nobody knows what became of it, in a session',
      values: ['false', 'true'],
      default: 'false',
    },
  },
  async setUp(options: SetUp): Promise<System> {
    const read = readModes.find((mode) => mode === options.options.reads) ?? 'linearizable';
    const cluster = await startCluster({
      nodes: options.nodes,
      folder: options.folder,
      main: join(options.systemFolder ?? ownSystem, 'main.js'),
      faults: options.faults,
      wantedMechanisms: options.mechanisms ?? [],
      bendsWallClocksOnly: read === 'lease',
      random: options.random,
      now: options.now,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.port === undefined ? {} : { portFirst: options.port }),
    });
    const { exchange, close } = createHttpExchange();
    const { workload, opTimeoutMs: timeoutMs } = options;
    const store = (node: string) => new StoreClient(cluster.address(node), exchange);
    const isInSession = options.options.sessions === 'true';
    const storeOf = (node: string) => (isInSession ? inSession(node, cluster.nodes, store) : store(node));
    await firstLeader(cluster, options.signal);
    return {
      nodes: cluster.nodes,
      world: cluster,
      mechanisms: cluster.mechanisms,
      address: (node) => cluster.address(node),
      client: (node) => kvClient(storeOf(node), workload, timeoutMs, read),
      status: () => statuses(cluster.nodes, store),
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

/** A run is of a store that serves. One that does not get there in time is a finding, which the run will show. */
async function firstLeader(cluster: Cluster, signal: AbortSignal | undefined): Promise<void> {
  const untilMs = performance.now() + leaderMaxMs;
  while (!signal?.aborted && performance.now() < untilMs && (await cluster.primaries()).length === 0) {
    await cluster.sleep(leaderPollMs);
  }
}
