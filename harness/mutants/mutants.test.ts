import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PortError } from '../../system/ports.ts';
import { mutants } from './catalog.ts';
import { applyEdit, EditMisfit } from './mutant.ts';
import { editedSources, plant, typeErrors } from './plant.ts';

t.setTimeout(300_000);

t.test('every edit fits the source in exactly one place, and the mutants still compile', async (t) => {
  t.ok(mutants.size >= 4);
  for (const mutant of mutants.values()) t.doesNotThrow(() => editedSources(mutant), mutant.name);
  t.strictSame(typeErrors([...mutants.values()]), []);
});

t.test('an edit that does not fit, or fits twice, is refused with the file and the text', async (t) => {
  const edit = { file: 'system/x.ts', find: 'a', replace: 'b' };
  t.throws(() => applyEdit('xyz', edit), EditMisfit);
  t.throws(() => applyEdit('aa', edit), /system\/x\.ts: the text to replace stands in 2 places/);
});

t.test('an edit that does not compile is told', async (t) => {
  const [first] = mutants.values();
  const edits = first!.edits.map((edit) => ({ ...edit, replace: 'nonsense(;' }));
  t.ok(typeErrors([{ ...first!, edits }]).length > 0);
});

t.test('a planted copy stands beside the untouched system', async (t) => {
  const home = plant(mutants.get('local-read')!);
  t.ok(existsSync(join(home, 'main.js')));
  t.equal(plant(mutants.get('local-read')!), home, 'and is made once');
  const module: unknown = await import(join(home, 'node', 'index.js'));
  t.match(module, { startNode: Function }, 'and loads');
  const ports: unknown = await import(join(home, 'ports.js'));
  t.match(ports, { PortError }, 'and knows the errors that a simulated world throws');
});
