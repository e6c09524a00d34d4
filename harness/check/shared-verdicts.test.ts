import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkFile } from './check-file.ts';
import { checkModels } from './check-models.ts';

const shared = join(process.env.SPLITBRAIN_SHARED ?? join('..', 'shared'), 'histories');

interface Verdict {
  readonly file: string;
  readonly model: string;
  readonly valid: boolean;
  readonly opts?: { readonly 'consistency-models'?: readonly string[] };
  readonly anomalies?: readonly string[];
  readonly not?: readonly string[];
}

/** These are judged, with their certificates, by checker/linear/shared-verdicts.test.ts. */
const LINEAR = /^(cas-register|kv|mutex)\b/;

t.test('the verdicts of public histories', { skip: existsSync(shared) ? false : `no ${shared}` }, async (t) => {
  const verdicts = JSON.parse(readFileSync(join(shared, 'VERDICTS.json'), 'utf8')) as readonly Verdict[];
  t.comment('file | model | expected | got | summary');
  let judged = 0;
  for (const { file, model, valid, opts, anomalies, not } of verdicts) {
    if (LINEAR.test(model)) continue;
    const known = checkModels.get(model);
    if (known === undefined) {
      t.fail(`${file}: nobody judges ${model}`);
      continue;
    }
    const consistencyModels = opts?.['consistency-models'];
    const { section } = await checkFile(
      join(shared, file),
      known,
      consistencyModels === undefined ? {} : { consistencyModels },
    );
    judged++;
    t.comment(`${file} | ${model} | ${valid} | ${section.valid} | ${section.summary}`);
    t.equal(section.valid, valid, `${file} as ${model}`);
    if (anomalies !== undefined) t.same(section.details?.anomalyTypes, anomalies, `${file}: anomaly types`);
    if (not !== undefined) t.same(section.details?.not, not, `${file}: not`);
  }
  t.ok(judged >= 10, `${judged} histories were judged`);
});
