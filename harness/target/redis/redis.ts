import { ProcessWorld, processFaults, remoteFaults } from '../process-world.ts';
import { programFor } from '../program.ts';
import { type NodeStatus, nodeNames, type SetUp, type System, type Target } from '../target.ts';
import { redisClient, redisWorkloads } from './client.ts';
import { RedisConnection } from './connection.ts';

/** What the sentinels call the primary and its replicas. */
const group = 'splitbrain';
const statusTimeoutMs = 1000;
/** How long a sentinel hears nothing of the primary before it takes it for down. */
const downAfterMs = 1000;
const failoverTimeoutMs = 3000;

/** A node: a server, and a sentinel that watches the primary. */
interface Member {
  readonly host: string;
  readonly serverPort: number;
  readonly sentinelPort: number;
  /** Where the harness reaches them. */
  readonly server: string;
  readonly sentinel: string;
}

/**
 * Redis 6 or later with sentinel, as Debian's redis-server has it: on each node a server and a sentinel; the first
 * node begins as the primary, and a majority of the sentinels elects another. Replication is asynchronous, and
 * nothing waits for it: what a primary acknowledged while it was cut off is lost.
 */
export const redis: Target = {
  name: 'redis',
  workloads: redisWorkloads,
  audited: false,
  faults: [...processFaults, 'disk-slow', 'disk-hung'],
  outOfReach: { clock: 'redis deadlocks in libfaketime' },
  nodes: { default: 3, most: 9 },
  remoteFaults,
  options: {},
  async setUp(options: SetUp): Promise<System> {
    const program = programFor(options, 'redis-server', 'redis-server');
    const nodes = nodeNames(options.nodes);
    const members = new Map<string, Member>();
    const world = await ProcessWorld.create({
      setUp: options,
      nodes,
      primaries: async () => (await statuses(members)).flatMap(({ node, leader }) => (leader ? [node] : [])),
    });
    for (const node of nodes) members.set(node, await memberOf(world, node));
    const [first] = members.values();
    if (first === undefined) throw new Error('no node');
    for (const [node, member] of members) await addServers(world, program, node, member, first, nodes.length);
    await world.startAll();
    await world.until('the sentinels and replicas of redis did not find each other', () => isWhole(members));
    /** The primary as the node's own sentinel has it. */
    const primary = async (node: string): Promise<string | undefined> => {
      const port = await primaryPort(members.get(node)?.sentinel, options.opTimeoutMs);
      return [...members.values()].find(({ serverPort }) => serverPort === port)?.server;
    };
    return {
      nodes,
      world,
      mechanisms: world.mechanisms,
      address: (node) => members.get(node)?.server ?? '',
      client: (node) => redisClient(() => primary(node), options.workload, options.opTimeoutMs),
      status: () => statuses(members),
      tearDown: () => world.stop(),
    };
  },
};

async function memberOf(world: ProcessWorld, node: string): Promise<Member> {
  const [serverPort, sentinelPort] = [await world.port(), await world.port()];
  const [server, sentinel] = [await world.reach(node, serverPort), await world.reach(node, sentinelPort)];
  return { host: world.address(node), serverPort, sentinelPort, server, sentinel };
}

/** Both write their configuration anew when roles change, so each has a file of its own. */
async function addServers(
  world: ProcessWorld,
  program: string,
  node: string,
  { host, serverPort, sentinelPort, server, sentinel }: Member,
  first: Member,
  nodes: number,
): Promise<void> {
  const common = [`bind ${host}`, `dir ${world.dataFolder(node)}`, 'protected-mode no', 'daemonize no'];
  const replicaOf = serverPort === first.serverPort ? [] : [`replicaof ${first.host} ${first.serverPort}`];
  const write = (name: string, lines: readonly string[]) => world.write(node, name, `${lines.join('\n')}\n`);
  const serverFile = await write('redis.conf', [
    ...[...common, `port ${serverPort}`, 'appendonly yes', 'save ""'],
    ...replicaOf,
  ]);
  const sentinelFile = await write('sentinel.conf', [
    ...common,
    `port ${sentinelPort}`,
    `sentinel monitor ${group} ${first.host} ${first.serverPort} ${Math.floor(nodes / 2) + 1}`,
    `sentinel down-after-milliseconds ${group} ${downAfterMs}`,
    `sentinel failover-timeout ${group} ${failoverTimeoutMs}`,
  ]);
  const ready = (address: string) => () => pongs(address);
  world.add(node, {
    name: 'redis',
    command: program,
    arguments: [serverFile],
    // It goes on after a failed sync of its file.
    endsOnFailedSync: () => false,
    ready: ready(server),
  });
  const words = [sentinelFile, '--sentinel'];
  world.add(node, { name: 'sentinel', command: program, arguments: words, ready: ready(sentinel) });
}

async function pongs(address: string): Promise<boolean> {
  return (await ask(address, statusTimeoutMs, 'PING')) === 'PONG';
}

/** Every sentinel knows all others and all replicas; every replica has a link. */
async function isWhole(members: ReadonlyMap<string, Member>): Promise<boolean> {
  const seen = await Promise.all(
    [...members.values()].map(({ sentinel }) => ask(sentinel, statusTimeoutMs, 'SENTINEL', 'MASTER', group)),
  );
  const others = String(members.size - 1);
  const knowsAll = seen.every((answer) => {
    const facts = factsOf(answer);
    return facts.get('num-other-sentinels') === others && facts.get('num-slaves') === others;
  });
  const told = await statuses(members);
  return knowsAll && told.length === members.size && new Set(told.map(({ hash }) => hash)).size === 1;
}

/** The primary's port, which no two servers share, as that sentinel has it. */
async function primaryPort(sentinel: string | undefined, timeoutMs: number): Promise<number | undefined> {
  if (sentinel === undefined) return undefined;
  const address = await ask(sentinel, timeoutMs, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', group);
  return Array.isArray(address) ? Number(address[1]) : undefined;
}

async function statuses(members: ReadonlyMap<string, Member>): Promise<readonly NodeStatus[]> {
  const told = await Promise.all([...members].map(([node, member]) => statusOf(node, member)));
  return told.filter((status) => status !== undefined);
}

/** As a digest of the state: whom it follows, by its own word and by its sentinel's. How far it is, is the offset. */
async function statusOf(node: string, { server, sentinel, serverPort }: Member): Promise<NodeStatus | undefined> {
  const [info, watched] = await Promise.all([
    ask(server, statusTimeoutMs, 'INFO', 'replication'),
    primaryPort(sentinel, statusTimeoutMs),
  ]);
  if (typeof info !== 'string') return undefined;
  const facts = new Map(info.split('\r\n').map((line): [string, string] => splitOnce(line, ':')));
  const leader = facts.get('role') === 'master';
  const follows = leader ? String(serverPort) : facts.get('master_link_status') === 'up' && facts.get('master_port');
  const applied = Number(facts.get(leader ? 'master_repl_offset' : 'slave_repl_offset') ?? 0);
  return { node, leader, term: 0, applied, hash: `${follows} ${watched}` };
}

/** One question on a connection of its own; undefined when there is no answer. */
async function ask(address: string, timeoutMs: number, command: string, ...words: string[]): Promise<unknown> {
  let connection: RedisConnection | undefined;
  try {
    connection = await RedisConnection.open(address, timeoutMs);
    return await connection.call(command, ...words);
  } catch {
    return undefined;
  } finally {
    connection?.close();
  }
}

/** Redis answers with names and values in turn, or, in its newer protocol, with a map. */
function factsOf(answer: unknown): ReadonlyMap<string, string> {
  if (answer instanceof Map) return new Map([...answer].map(([name, value]) => [String(name), String(value)]));
  if (Array.isArray(answer)) {
    return new Map(
      answer.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[String(name), String(answer[at + 1])]] : [])),
    );
  }
  return new Map(Object.entries(answer ?? {}).map(([name, value]) => [name, String(value)]));
}

function splitOnce(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return [line.slice(0, at), line.slice(at + 1)];
}
