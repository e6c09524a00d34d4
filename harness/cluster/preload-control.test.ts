import type { Duplex } from 'node:stream';
import { execa } from 'execa';
import t from 'tap';
import { PreloadControl } from './preload-control.ts';

t.test('a process that is killed before it has read an order takes nobody with it', async (t) => {
  const deaf = execa('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], buffer: false, reject: false });
  const pipe = deaf.stdio[3] as unknown as Duplex;
  const failed = new Promise<Error>((resolve) => void pipe.once('error', resolve));
  const control = new PreloadControl(pipe);
  const told = t.rejects(control.tell('disk', null, 500), { message: /the disk module did not answer/ });
  deaf.kill('SIGKILL');
  t.match(await failed, { code: 'ECONNRESET' });
  await told;
  await deaf;
});
