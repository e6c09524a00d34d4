import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { Reaper } from '../cluster/reaper.ts';
import { withinMs } from '../cluster/within.ts';
import { type Expected, isExpected, type Machine } from './machine.ts';

export interface SshOptions {
  /** `user@host` or a name from the configuration, a node each. */
  readonly hosts: readonly string[];
  /** A file as `ssh -F` takes it; undefined: the user's own. */
  readonly config?: string | undefined;
}

/** The connection that is held. */
interface Keeper {
  readonly stdin: { end(): void };
  kill(): void;
  readonly ended: Promise<unknown>;
}

const connectTimeoutS = 10;
const commandTimeoutMs = 20_000;
const pollMs = 50;

/**
 * Another computer, over OpenSSH's client with the keys and the configuration that it finds. One connection is held
 * for as long as the run lasts: when it ends, however it ends, every server that was started there is ended, and the
 * folder with the node's files removed.
 */
export class SshMachine implements Machine {
  /** Where the node's files go there. */
  readonly folder: string;
  /** Its address, as OpenSSH has it. */
  readonly address: string;
  readonly #ssh: readonly [string, ...string[]];
  readonly #keeper: Keeper;

  private constructor(ssh: readonly [string, ...string[]], keeper: Keeper, folder: string, address: string) {
    this.#ssh = ssh;
    this.#keeper = keeper;
    this.folder = folder;
    this.address = address;
  }

  /** @throws with one line when it cannot be reached */
  static async reach(host: string, { config }: SshOptions, reaper: Reaper): Promise<SshMachine> {
    const options = ['-o', 'BatchMode=yes', '-o', `ConnectTimeout=${connectTimeoutS}`, '-o', 'ServerAliveInterval=5'];
    const file = config === undefined ? [] : ['-F', config];
    const { stdout: settings } = await execa('ssh', [...file, '-G', host]);
    const address = /^hostname (.*)$/m.exec(settings)?.[1] ?? host;
    const ssh = ['ssh', ...file, ...options, host, '--'] as const;
    // What is left when the harness is gone is ended from there: the pipe closes with the connection.
    const keep = `d=$(mktemp -d /tmp/splitbrain-XXXXXX) && mkdir -m 700 "$d/data" && echo "$d" && cat >/dev/null
for f in "$d"/*.pid; do [ -e "$f" ] && kill -KILL -- "-$(cat "$f")"; done; rm -rf "$d"`;
    const [command, ...words] = ssh;
    const keeper = execa(command, [...words, keep], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      cleanup: false,
      reject: false,
      env: { ...reaper.environment },
    });
    if (keeper.pid !== undefined) reaper.processStarted(keeper.pid);
    const first = createInterface({ input: keeper.stdout });
    const folder = await withinMs(
      commandTimeoutMs,
      `${host} did not answer over SSH`,
      Promise.race([once(first, 'line').then(([line]) => String(line)), keeper.then(({ stderr }) => stderr)]),
    );
    const held = {
      stdin: keeper.stdin,
      ended: keeper.then(() => {}),
      kill: () => void keeper.kill('SIGKILL'),
    };
    if (folder.startsWith('/tmp/splitbrain-')) return new SshMachine(ssh, held, folder, address);
    keeper.kill('SIGKILL');
    throw new Error(`${host} cannot be used over SSH: ${folder.trim().split('\n').at(-1)}`);
  }

  command(
    name: string,
    words: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>>,
  ): readonly [string, ...string[]] {
    const variables = Object.entries(environment).map(([variable, value]) => quoted(`${variable}=${value}`));
    const own = ['env', ...variables, ...words.map(quoted)].join(' ');
    // sshd makes each command the leader of a process group, and exec keeps the pid.
    return [...this.#ssh, `cd ${quoted(this.folder)} && echo $$ >${quoted(name)}.pid && exec ${own} </dev/null`];
  }

  async signal(name: string, _: number, signal: NodeJS.Signals): Promise<readonly number[]> {
    const group = (
      await this.#run(
        `g=$(cat ${quoted(`${this.folder}/${name}.pid`)}) && kill -${signal.slice(3)} -- "-$g"; echo "$g"`,
      )
    ).trim();
    return group === '' ? [] : [Number(group)];
  }

  async untilStates(
    _: string,
    [group]: readonly number[],
    expected: Expected,
    timeoutMs: number,
  ): Promise<{ readonly reached: boolean; readonly states: string }> {
    const startedAt = performance.now();
    for (;;) {
      const seen =
        group === undefined ? '' : await this.#run(`ps -e -o pgid=,stat= | awk '$1 == ${group} { print $2 }'`);
      const states = seen.split('\n').flatMap((state) => (state.trim() === '' ? [] : [state.trim().charAt(0)]));
      const reached =
        (states.length > 0 || expected === 'gone') && states.every((state) => isExpected(state, expected));
      if (reached || performance.now() - startedAt > timeoutMs) return { reached, states: states.join('') || '-' };
      await delay(pollMs);
    }
  }

  /** Writes a file there. @returns its path */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.folder}/${name}`;
    await this.#run(`cat >${quoted(path)}`, text);
    return path;
  }

  /** Ends all that was started there, and removes the folder. */
  async close(): Promise<void> {
    this.#keeper.stdin.end();
    await withinMs(commandTimeoutMs, 'the connection did not end', this.#keeper.ended).catch(() => this.#keeper.kill());
  }

  async #run(script: string, input = ''): Promise<string> {
    const [command, ...words] = this.#ssh;
    const { stdout } = await execa(command, [...words, script], { input, timeout: commandTimeoutMs, reject: false });
    return stdout;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
