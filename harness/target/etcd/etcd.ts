import { createHttpExchange } from '../../../system/client/index.ts';
import { kvClient, kvWorkloads } from '../kv-operations.ts';
import { diskFaults, ProcessWorld, processFaults, remoteFaults } from '../process-world.ts';
import { programFor } from '../program.ts';
import { type NodeStatus, nodeNames, type SetUp, type System, type Target } from '../target.ts';
import { storeOver } from '../versioned-store.ts';
import { EtcdGateway } from './gateway.ts';

interface Member {
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** The same two as the harness reaches them. */
  readonly clientReach: string;
  readonly peerReach: string;
}

/** etcd 3.4 or later, as Debian's etcd-server has it: one process a node. */
export const etcd: Target = {
  name: 'etcd',
  workloads: kvWorkloads,
  audited: false,
  faults: [...processFaults, ...diskFaults],
  outOfReach: { clock: 'programs in Go ask the kernel for the time by themselves, which libfaketime does not see' },
  nodes: { default: 3, most: 9 },
  remoteFaults,
  options: {
    serializable: {
      about: 'etcd reads what the node that is asked has, as old as it may be',
      values: ['false', 'true'],
      default: 'false',
    },
  },
  async setUp(options: SetUp): Promise<System> {
    const program = programFor(options, 'etcd', 'etcd-server');
    const nodes = nodeNames(options.nodes);
    const { exchange, close } = createHttpExchange();
    const members = new Map<string, Member>();
    const gateway = (node: string) => new EtcdGateway(members.get(node)?.clientReach ?? '', exchange);
    const world = await ProcessWorld.create({
      setUp: options,
      nodes,
      async primaries() {
        const statuses = await Promise.all(nodes.map(async (node) => ({ node, of: await gateway(node).status() })));
        return statuses.flatMap(({ node, of }) => (of !== undefined && of.leader === of.member ? [node] : []));
      },
    });
    for (const node of nodes) {
      const host = world.address(node);
      const [client, peer] = [await world.port(), await world.port()];
      members.set(node, {
        clientUrl: `http://${host}:${client}`,
        peerUrl: `http://${host}:${peer}`,
        clientReach: `http://${await world.reach(node, client)}`,
        peerReach: `http://${await world.reach(node, peer)}`,
      });
    }
    const cluster = [...members].map(([node, { peerUrl }]) => `n${node}=${peerUrl}`).join(',');
    for (const [node, { clientUrl, peerUrl, peerReach }] of members) {
      world.add(node, {
        name: 'etcd',
        command: program,
        arguments: [
          ...['--name', `n${node}`, '--data-dir', world.dataFolder(node)],
          ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
          ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
          ...['--initial-cluster', cluster, '--initial-cluster-state', 'new'],
        ],
        // It panics when its log cannot be synced.
        endsOnFailedSync: ({ code }) => code !== 0,
        // The client port answers only once there is a leader; a node started among dead ones is up without.
        ready: () => answers(`${peerReach}/version`),
      });
    }
    await world.startAll();
    await world.until('etcd did not elect a leader', async () => (await world.primaries()).length === 1);
    const isSerializable = options.options.serializable === 'true';
    return {
      nodes,
      world,
      mechanisms: world.mechanisms,
      address: (node) => members.get(node)?.clientReach ?? '',
      client: (node) => kvClient(storeOver(gateway(node).store(isSerializable)), options.workload, options.opTimeoutMs),
      async status() {
        const told = await Promise.all(nodes.map((node) => statusOf(node, gateway(node))));
        return told.filter((status) => status !== undefined);
      },
      async tearDown() {
        try {
          await close();
        } finally {
          await world.stop();
        }
      },
    };
  },
};

async function statusOf(node: string, gateway: EtcdGateway): Promise<NodeStatus | undefined> {
  const [status, hash] = await Promise.all([gateway.status(), gateway.hash()]);
  if (status === undefined || hash === undefined) return undefined;
  const { member, leader, term, applied } = status;
  return { node, leader: leader === member, term, applied, hash };
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
  await response.arrayBuffer();
  return response.ok;
}
