import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type CertifiedCall, verifyCounterexample, verifyLinearization } from '../certificate.ts';
import { OPEN, pairCalls } from '../history/calls.ts';
import type { Value } from '../history/op.ts';
import { parseHistory } from '../history/parse.ts';
import type { Model } from '../model/model.ts';
import { models } from '../model/models.ts';
import { checkLinear } from './check.ts';
import { operationOf } from './operations.ts';
import type { LinearOptions } from './options.ts';

const shared = join(process.env.SPLITBRAIN_SHARED ?? join('..', 'shared'), 'histories');

/** The verifier tries all orders: enough for a few dozen operations. */
const STEPS_MAX = 50_000;

interface Verdict {
  readonly file: string;
  readonly model: string;
  readonly valid: boolean;
}

/** How the histories' own projects judge them: their README. */
function optionsFor(
  model: string,
): (Omit<LinearOptions, 'model'> & { readonly model: 'cas-register' | 'kv' | 'mutex' }) | undefined {
  if (model.includes('failed cas = precondition mismatch')) return { model: 'cas-register', failedCas: 'observed' };
  if (model.startsWith('cas-register')) return { model: 'cas-register', failedCas: 'ignored', vacuous: 'valid' };
  if (model.startsWith('kv')) return { model: 'kv', initial: '' };
  return model === 'mutex' ? { model } : undefined;
}

t.test('the verdicts of public histories', { skip: existsSync(shared) ? false : `no ${shared}` }, async (t) => {
  const verdicts = JSON.parse(readFileSync(join(shared, 'VERDICTS.json'), 'utf8')) as readonly Verdict[];
  t.comment('file | expected | got | path | ms');
  let judged = 0;
  let refutations = 0;
  for (const { file, model, valid } of verdicts) {
    const options = optionsFor(model);
    if (options === undefined) continue;
    judged++;
    const { events } = parseHistory(readFileSync(join(shared, file)));
    const start = performance.now();
    const section = checkLinear(events, { ...options, now: () => performance.now() });
    const ms = performance.now() - start;
    const paths = Object.keys(section.details?.paths ?? {}).join('+') || '-';
    t.comment(`${file} | ${valid} | ${section.valid} | ${paths} | ${ms.toFixed(2)}`);
    t.equal(section.valid, valid, file);
    const calls = pairCalls(events);
    const known: Model<unknown> = models[options.model];
    // Every invalid verdict has a counterexample of which the independent verifier finds no order.
    for (const { evidence } of section.valid === false ? section.anomalies : []) {
      const parts = evidence.counterexample as unknown as readonly { op: number; completion?: number }[];
      const kept = parts.map(({ op, completion }): CertifiedCall => {
        const operation = operationOf(events, op, completion ?? OPEN, known, options.failedCas)!;
        return { operation, invoke: op, complete: completion ?? Number.POSITIVE_INFINITY };
      });
      const refuted = verifyCounterexample(known, known.init(options.initial), kept, STEPS_MAX);
      t.not(refuted, false, `${file}: counterexample of ${kept.length} operations`);
      if (refuted === undefined) t.comment(`${file}: ${kept.length} operations are too many to try all orders`);
      else refutations++;
    }
    if (section.valid !== true) continue;
    // Every valid verdict has a linearization that the independent verifier accepts.
    const certified = checkLinear(events, { ...options, certificate: true });
    const { certificates = [] } = certified.details ?? {};
    t.equal((certificates as readonly Value[]).length, certified.counts.keys ?? 0, `${file}: one for each key`);
    for (const { key, order } of certificates as unknown as readonly { key?: string; order: readonly number[] }[]) {
      const own: CertifiedCall[] = [];
      for (let call = 0; call < calls.length; call++) {
        const invoke = calls.invoke[call]!;
        if (key !== undefined && events.value(events.key[invoke]!) !== key) continue;
        const end = calls.complete[call]!;
        const operation = operationOf(events, invoke, end, known, options.failedCas);
        if (operation === undefined) continue;
        own.push({ operation, invoke, complete: end === OPEN ? Number.POSITIVE_INFINITY : end });
      }
      const places = order.map((op) => own.findIndex((call) => call.invoke === op));
      t.ok(verifyLinearization(known, known.init(options.initial), own, places), `${file}: certificate`);
    }
  }
  t.ok(judged > 100, `${judged} histories were judged`);
  t.ok(refutations > 30, `${refutations} counterexamples were verified`);
});
