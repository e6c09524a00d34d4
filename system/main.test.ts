import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Client, createHttpExchange } from './client/index.ts';
import { authority, certificate, foreignCertificate, foreignKey, key } from './testing/tls-fixture.ts';
import { encodeHandshake } from './transport/frame.ts';

const main = fileURLToPath(new URL('./main.js', import.meta.url));
/** A test runner that adds itself to every child has no business inside nodes. */
const { NODE_OPTIONS: _, ...environment } = process.env;

interface Line {
  readonly level: string;
  readonly event: string;
  readonly [fact: string]: unknown;
}

/** One real node process. */
class Process {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  errors = '';
  readonly exited: Promise<number | null>;
  #waiting: (() => void)[] = [];

  constructor(flags: readonly string[]) {
    this.child = spawn(process.execPath, [main, ...flags], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      for (const part of parts) this.lines.push(JSON.parse(part) as Line);
      for (const look of this.#waiting.splice(0)) look();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code) => {
        resolve(code);
        for (const look of this.#waiting.splice(0)) look();
      });
    });
  }

  async line(event: string): Promise<Line> {
    for (;;) {
      const found = this.lines.find((line) => line.event === event);
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(`ended without ${event}: ${this.errors}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.on('listening', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Asks again until the answer satisfies, for as long as the test's own time-out lets it. */
async function eventually<T>(ask: () => Promise<T>, satisfies: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Setting {
  readonly folder: string;
  start(id: number): Promise<Process>;
}

async function setting(t: Tap, extra: readonly string[] = []): Promise<Setting> {
  const folder = mkdtempSync(join(tmpdir(), 'splitbrain-main-'));
  const running = new Set<Process>();
  t.teardown(async () => {
    await Promise.all([...running].map((one) => one.end('SIGKILL')));
    rmSync(folder, { recursive: true, force: true });
  });
  const ports = await freePorts(3);
  const cluster = ports.map((port) => `http://127.0.0.1:${port}`).join(',');
  return {
    folder,
    async start(id) {
      const files = ['--data-dir', join(folder, `data-${id}`), '--audit', join(folder, `audit-${id}`)];
      const node = new Process(['--id', String(id), '--cluster', cluster, '--port', '0', ...files, ...extra]);
      running.add(node);
      await node.line('listening');
      return node;
    },
  };
}

type Tap = { teardown(end: () => Promise<void>): void };

t.test('three processes serve, outlive a kill of the leader, and keep what they acknowledged', async (t) => {
  const { folder, start } = await setting(t);
  const { exchange, close } = createHttpExchange();
  t.teardown(close);
  const nodes = await Promise.all([1, 2, 3].map(start));
  const clientOf = async (node: Process) =>
    new Client(`http://127.0.0.1:${(await node.line('listening')).clientPort}`, exchange);
  const clients = await Promise.all(nodes.map(clientOf));
  const ready = (client: Client) =>
    eventually(
      () => client.put('ready', 'yes'),
      ({ ok }) => ok,
    );
  await Promise.all(clients.map(ready));
  for (let i = 0; i < 10; i++) {
    t.match(await clients[i % 3]!.put(`k${i}`, `v${i}`, { operationId: `op-${i}` }), { ok: true });
  }
  t.match(await clients[0]!.cas('k0', 'other', 'x'), { ok: false, outcome: 'none', error: 'cas-mismatch' });
  t.match(await clients[1]!.append('list', 'e'), { ok: true, value: { length: 1 } });
  const listed = await clients[2]!.txn({ compare: [], success: [{ op: 'get', key: 'list' }], failure: [] });
  t.ok(listed.ok && Buffer.from((listed.value.results[0] as { value: Uint8Array }).value).toString() === '["e"]');

  const status = await clients[0]!.status();
  t.ok(status.ok);
  const leader = Number(status.ok && status.value.leader);
  await nodes[leader - 1]!.end('SIGKILL');
  const others = clients.filter((_, at) => at !== leader - 1);
  await Promise.all(others.map(ready));
  const read = async (client: Client, name: string) => {
    const got = await client.get(name);
    return got.ok && got.value !== null ? Buffer.from(got.value.value).toString() : got;
  };
  for (let i = 0; i < 10; i++) t.equal(await read(others[i % 2]!, `k${i}`), `v${i}`);
  t.match(await others[0]!.put('later', 'x'), { ok: true });

  const restarted = await clientOf(await start(leader));
  await ready(restarted);
  t.equal(await read(restarted, 'later'), 'x');
  const audit = readFileSync(join(folder, 'audit-1'), 'utf8');
  t.match(audit, /"op":"op-7","effect":"applied"/);
});

t.test('SIGTERM: leadership is handed over, the process ends with 0', async (t) => {
  const { start } = await setting(t);
  const { exchange, close } = createHttpExchange();
  t.teardown(close);
  const nodes = await Promise.all([1, 2, 3].map(start));
  const ports = await Promise.all(nodes.map(async (node) => Number((await node.line('listening')).clientPort)));
  const clients = ports.map((port) => new Client(`http://127.0.0.1:${port}`, exchange));
  const led = await eventually(
    () => clients[0]!.status(),
    (status) => status.ok && status.value.leader !== null,
  );
  const leader = Number(led.ok && led.value.leader);
  t.equal(await nodes[leader - 1]!.end('SIGTERM'), 0);
  const survivor = clients.find((_, at) => at !== leader - 1)!;
  const after = await survivor.status();
  t.ok(after.ok && after.value.leader !== null && after.value.leader !== String(leader), 'another leads already');
});

t.test('an audit whose last line was cut goes on with a line of its own', async (t) => {
  const { folder, start } = await setting(t);
  const path = join(folder, 'audit-1');
  const whole = '{"type":"start","node":"1","incarnation":"0000000a","applied":0}\n';
  // Longer than what is looked at in one go.
  writeFileSync(path, `${whole}{"type":"apply","index":${'1'.repeat(100_000)}`);
  const node = await start(1);
  t.match(
    node.lines.find(({ event }) => event === 'audit-repaired'),
    { cutBytes: 100_024 },
  );
  await node.end('SIGKILL');
  const audit = readFileSync(path, 'utf8');
  t.ok(audit.startsWith(whole));
  const lines = audit.trimEnd().split('\n');
  t.ok(lines.length >= 2);
  for (const line of lines) t.doesNotThrow(() => JSON.parse(line));
  writeFileSync(path, '{"type":');
  await (await start(1)).end('SIGKILL');
  t.match(readFileSync(path, 'utf8'), /^\{"type":"start"/, 'also when no line was whole');
});

/** How each write of a process to its disk is made to fail, and with what. Neither is a full disk, so nothing to wait for. */
const brokenDisks = [
  {
    code: 'EFBIG',
    tool: 'prlimit',
    break: async (pid: number) => spawnSync('prlimit', ['--pid', String(pid), '--fsize=0:0']).status === 0,
  },
  {
    // The log's write and its sync are one call.
    code: 'EIO',
    tool: 'strace',
    break: async (pid: number) => {
      const calls = 'pwrite64,pwritev,fdatasync,fsync';
      const words = ['-f', '-p', String(pid), '-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`];
      const strace = spawn('strace', words, { stdio: ['ignore', 'ignore', 'pipe'] });
      // It goes on to say what it does, and ends with the process that it is attached to.
      return new Promise<boolean>((resolve) => {
        strace.stderr.setEncoding('utf8').on('data', (text: string) => {
          if (text.includes('attached')) resolve(true);
        });
        strace.on('close', () => resolve(false));
      });
    },
  },
];
for (const { code, tool, break: breakDisk } of brokenDisks) {
  t.test(
    `a disk that fails with ${code}: the process says so, acknowledges nothing and exits with 70`,
    { skip: spawnSync(tool, ['--version']).status === 0 ? false : `without ${tool} no real write can be made to fail` },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'splitbrain-main-'));
      const [peer] = await freePorts(1);
      const url = `http://127.0.0.1:${peer}`;
      const node = new Process(['--id', '1', '--cluster', url, '--port', '0', '--data-dir', folder]);
      const { exchange, close } = createHttpExchange();
      t.teardown(async () => {
        await node.end('SIGKILL');
        await close();
        rmSync(folder, { recursive: true, force: true });
      });
      const client = new Client(`http://127.0.0.1:${(await node.line('listening')).clientPort}`, exchange);
      await eventually(
        () => client.put('ready', 'yes'),
        ({ ok }) => ok,
      );
      t.ok(await breakDisk(node.child.pid!), `${tool} may break it`);
      const lost = await client.put('lost', 'x');
      t.match(lost, { ok: false, outcome: 'unknown' });
      t.equal(await node.exited, 70);
      t.match(await node.line('crash'), { level: 'fatal', code });
    },
  );
}

t.test('TLS for clients, mutual TLS for peers', async (t) => {
  const keys = mkdtempSync(join(tmpdir(), 'splitbrain-keys-'));
  t.teardown(() => rmSync(keys, { recursive: true, force: true }));
  const paths = { key: join(keys, 'key.pem'), cert: join(keys, 'cert.pem'), ca: join(keys, 'ca.pem') };
  writeFileSync(paths.key, key);
  writeFileSync(paths.cert, certificate);
  writeFileSync(paths.ca, authority);
  const peers = ['--peer-tls-key', paths.key, '--peer-tls-cert', paths.cert, '--peer-tls-ca', paths.ca];
  const { start } = await setting(t, ['--tls-key', paths.key, '--tls-cert', paths.cert, ...peers]);
  const nodes = await Promise.all([1, 2, 3].map(start));
  const ports = await Promise.all(nodes.map(async (node) => Number((await node.line('listening')).clientPort)));
  const ask = (method: string, port: number, body?: string) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const asked = request(
        { host: '127.0.0.1', port, path: '/secret', method, ca: authority, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => resolve({ status: answer.statusCode, text }));
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });
  await eventually(
    () => ask('PUT', ports[0]!, 'x'),
    ({ status }) => status === 204,
  );
  t.match(
    await eventually(
      () => ask('GET', ports[1]!),
      ({ status }) => status === 200,
    ),
    { text: 'x' },
  );

  const peerPort = Number((await nodes[0]!.line('listening')).peerPort);
  /** Says hello as a node of that cluster, and waits until it is turned away. */
  const greet = (cluster: string, identity: ConnectionOptions) =>
    new Promise<void>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: peerPort, ca: authority, ...identity });
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      const hello = { version: 1, cluster, from: '2', to: '1', purpose: 'messages' } as const;
      socket.on('secureConnect', () => socket.write(encodeHandshake(hello)));
    });
  await greet('no certificate', {});
  await greet('a foreign certificate', { key: foreignKey, cert: foreignCertificate });
  await greet('our certificate', { key, cert: certificate });
  await nodes[0]!.line('peer-refused');
  const refusals = nodes[0]!.lines.filter(({ event }) => event === 'peer-refused').map(({ reason }) => reason);
  t.same(
    refusals,
    ['node 2 is of cluster our certificate, not splitbrain'],
    'nobody else gets as far as to say a word',
  );
});

t.test('mistakes get one clear line and no stack', async (t) => {
  const attempt = async (...flags: string[]) => {
    const node = new Process(flags);
    return { code: await node.exited, errors: node.errors };
  };
  const url = 'http://127.0.0.1:1';
  const wrong: readonly [RegExp, ...string[]][] = [
    [/id/, '--cluster', url],
    [/--cluster names 1 nodes, --id is 2/, '--id', '2', '--cluster', url],
    [/is not http:\/\/HOST:PORT/, '--id', '1', '--cluster', 'nonsense'],
    [/--port 70000/, '--id', '1', '--cluster', url, '--port', '70000'],
    [/colour/i, '--id', '1', '--cluster', url, '--colour'],
    [/larger than/, '--id', '1', '--cluster', url, '--election-ticks', '3', '--heartbeat-ticks', '3'],
    [/cannot read/, '--id', '1', '--cluster', url, '--tls-key', '/nowhere', '--tls-cert', '/nowhere'],
  ];
  for (const [expected, ...flags] of wrong) {
    const { code, errors } = await attempt(...flags);
    t.equal(code, 254, flags.join(' '));
    t.match(errors, expected);
    t.equal(errors.trimEnd().split('\n').length, 1, errors);
  }
  const folder = mkdtempSync(join(tmpdir(), 'splitbrain-main-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const refused = await attempt(
    '--id',
    '1',
    '--cluster',
    `http://127.0.0.1:${port}`,
    '--port',
    '0',
    '--data-dir',
    folder,
  );
  taken.close();
  t.equal(refused.code, 255);
  t.match(refused.errors, /^node 1 cannot start: .*EADDRINUSE[^\n]*\n$/);
  writeFileSync(join(folder, 'file'), '');
  const unusable = await attempt('--id', '1', '--cluster', url, '--data-dir', join(folder, 'file'));
  t.equal(unusable.code, 255);
});
