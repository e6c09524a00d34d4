import { describeFault, faultSpans } from '../report/fault-span.ts';
import { pairOperations } from '../report/operation.ts';
import { svgText } from '../report/picture/svg.ts';
import type { Digest } from '../store/digest.ts';
import { files } from '../store/layout.ts';
import { readFaults, readHistory } from '../store/read.ts';
import { html, Markup } from './markup.ts';
import type { NightSummary } from './nights.ts';
import type { RunProgress } from './progress.ts';
import { anomaliesOf, type RunFilter, type RunName, type RunSummary, verdictOf } from './run-list.ts';
import { drawNights, nightsOf } from './trends.ts';

const nightsShownMax = 60;

function page(title: string, content: Markup, refreshSeconds?: number): string {
  const refresh =
    refreshSeconds === undefined ? undefined : html`<meta http-equiv="refresh" content="${refreshSeconds}">`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh}
<title>${title} · splitbrain</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header class="bar"><a class="brand" href="/">splitbrain</a><nav><a href="/">Runs</a> &nbsp; <a href="/trends">Trends</a></nav></header>
<main>${content}</main>
</body>
</html>
`.text;
}

const looks: { readonly [verdict: string]: readonly [look: string, word: string] } = {
  valid: ['valid', '✓ valid'],
  invalid: ['bad', '✕ violation'],
  unknown: ['unknown', '? unknown'],
  running: ['running', '▶ running'],
  none: ['none', '– not judged'],
  unreadable: ['none', '– cannot be read'],
};

function pill(verdict: string): Markup {
  const [look, word] = looks[verdict] ?? ['none', verdict];
  return html`<span class="pill ${look}">${word}</span>`;
}

function pathOf({ test, run, night }: RunName): string {
  const names = [...(night === undefined ? ['runs'] : ['nights', night]), test, run];
  return `/${names.map(encodeURIComponent).join('/')}/`;
}

function options(values: readonly string[], chosen: string | undefined): Markup[] {
  return values.map((value) =>
    value === chosen ? html`<option selected>${value}</option>` : html`<option>${value}</option>`,
  );
}

/** As the compare form names it: `test/run`, or `night/test/run`. */
function nameOf({ test, run, night }: RunName): string {
  return [...(night === undefined ? [] : [night]), test, run].join('/');
}

export const shownMax = 200;

export interface ListPage {
  /** All that there are, read or not. */
  readonly names: readonly RunName[];
  readonly filter: RunFilter;
  /** How many the filter leaves. */
  readonly found: number;
  /** The first of them that is shown, from 0. */
  readonly first: number;
  /** Those that are shown, at most `shownMax`; a name alone is of a folder that cannot be read. */
  readonly shown: readonly (RunSummary | RunName)[];
}

/** The runs that a filter leaves, with the filter as a form; two of them can be marked and compared. */
export function listPage({ names, filter, found, first, shown }: ListPage): string {
  const tests = [...new Set(names.map(({ test }) => test))].sort();
  const rows = shown.map((run) => {
    const name = nameOf(run);
    const where = html`${run.test}${run.night === undefined ? undefined : html` <span class="quiet">night ${run.night}</span>`}`;
    if (!('description' in run))
      return html`<tr><td></td><td>${pill('unreadable')}</td><td>${run.run.slice(0, 100)}</td><td>${where}</td><td colspan="4"></td></tr>`;
    const anomalies = [...anomaliesOf(run)].map(([kind, count]) => (count === 1 ? kind : `${kind} ×${count}`));
    return html`<tr>
<td><input type="checkbox" name="run" value="${name}" aria-label="compare ${name}"></td>
<td>${pill(verdictOf(run))}</td>
<td><a href="${pathOf(run)}">${run.description.started.replace('T', ' ').slice(0, 19)}</a></td>
<td>${where}</td>
<td>${run.description.seed}</td>
<td>${run.description.world}</td>
<td>${run.results?.sections.operations?.counts.invoked ?? ''}</td>
<td>${anomalies.join(', ')}</td>
</tr>`;
  });
  const part = (from: number, words: string): Markup => {
    const query = new URLSearchParams({ ...filter, first: String(from) });
    return html`<a href="/?${query.toString()}">${words}</a>`;
  };
  return page(
    'Runs',
    html`<section><h2>${found} of ${names.length} runs</h2>
<form class="filter" method="get" action="/">
<label>test <select name="test"><option value="">any</option>${options(tests, filter.test)}</select></label>
<label>verdict <select name="verdict"><option value="">any</option>${options(['invalid', 'unknown', 'valid', 'running', 'none'], filter.verdict)}</select></label>
<label>seed, anomaly or name <input type="search" name="text" value="${filter.text ?? ''}"></label>
<label>from <input type="date" name="from" value="${filter.from ?? ''}"></label>
<label>to <input type="date" name="to" value="${filter.to ?? ''}"></label>
<button type="submit">show</button> <a href="/">all</a>
</form>
<form method="get" action="/compare">
<div class="scroll runs" tabindex="0" role="region" aria-label="runs"><table>
<thead><tr><th scope="col"><span class="unseen">compare</span></th><th scope="col">verdict</th><th scope="col">started (UTC)</th><th scope="col">test</th><th scope="col">seed</th><th scope="col">world</th><th scope="col">operations</th><th scope="col">anomalies</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="links">${first > 0 ? part(Math.max(0, first - shownMax), '← later ones') : undefined}
${shown.length === 0 ? undefined : html`<span class="quiet">${first + 1} to ${first + shown.length}</span>`}
${first + shownMax < found ? part(first + shownMax, 'earlier ones →') : undefined}</p>
<p class="links"><button type="submit">compare the two that are marked</button></p>
</form></section>`,
  );
}

/** One run: its verdict, a line a checker, its files; while it runs, how far it is. */
export function runPage(run: RunSummary, names: readonly string[], progress: RunProgress | undefined): string {
  const { description, results } = run;
  const sections = Object.entries(results?.sections ?? {});
  const live =
    progress === undefined
      ? undefined
      : html`<div class="facts" aria-live="polite">
<div class="fact"><b>${progress.phase}</b><span>phase</span></div>
<div class="fact"><b>${(progress.elapsedNs / 1e9).toFixed(1)} s</b><span>of the run's time</span></div>
<div class="fact"><b>${progress.invoked}</b><span>operations</span></div>
<div class="fact"><b>${progress.ok}</b><span>ok</span></div>
<div class="fact"><b>${progress.fail}</b><span>failed</span></div>
<div class="fact"><b>${progress.info}</b><span>outcome unknown</span></div>
<div class="fact"><b>${progress.faults}</b><span>faults</span></div>
</div>`;
  return page(
    `${run.test} ${description.seed}`,
    html`<section><p>${pill(verdictOf(run))}</p>
<h1>${run.test}, seed ${description.seed}</h1>
<p class="quiet">${run.night === undefined ? undefined : html`night ${run.night} · `}${run.run} · ${description.started} · ${description.world}</p>
${live}
<p class="links">${names.includes(files.report) ? html`<a class="button" href="${pathOf(run)}${files.report}">open the report</a>` : undefined}
<a class="button" href="${pathOf(run)}run.zip">download as zip</a></p>
${sections.length === 0 ? undefined : html`<ul class="checks">${sections.map(([name, section]) => checkLine(name, section))}</ul>`}
</section>
<section><h2>See it again</h2>
<dl class="commands">${Object.entries(description.commands).map(([purpose, command]) => html`<dt>${purpose}</dt><dd><code>${command}</code></dd>`)}</dl>
</section>
<section><h2>Files</h2><ul class="files">${names.map((name) => html`<li><a href="${pathOf(run)}${name.split('/').map(encodeURIComponent).join('/')}">${name}</a></li>`)}</ul></section>`,
    progress === undefined ? undefined : 2,
  );
}

function checkLine(name: string, section: Digest['sections'][string]): Markup {
  const [look, sign] =
    section.valid === true ? ['valid', '✓'] : section.valid === false ? ['bad', '✕'] : ['unknown', '?'];
  return html`<li><span class="shape ${look}">${sign}</span><div><b>${name}</b> ${section.summary}</div></li>`;
}

const legend = html`<p class="legend"><span class="key ok">▭ valid, at the bottom</span> <span class="key info">┄ unknown</span> <span class="key bad">▬ violation, at the top</span></p>`;

/** Runs by verdict a night, with the same numbers as a table. */
export function trendsPage(runs: readonly RunSummary[], nights: readonly NightSummary[]): string {
  const tests = [...new Set(runs.map(({ test }) => test))].sort();
  const part = (title: string, of: readonly RunSummary[]): Markup => {
    const nights = nightsOf(of);
    return html`<section><h2>${title}</h2>${legend}<div class="drawing">${new Markup(svgText(drawNights(nights)))}</div>
<details><summary>as a table</summary><div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">night</th><th scope="col">valid</th><th scope="col">violations</th><th scope="col">unknown</th><th scope="col">operations</th></tr></thead>
<tbody>${nights.toReversed().map((night) => html`<tr><td>${night.date}</td><td>${night.valid}</td><td>${night.invalid}</td><td>${night.unknown}</td><td>${night.operations.toLocaleString('en')}</td></tr>`)}</tbody>
</table></div></details></section>`;
  };
  return page(
    'Trends',
    runs.length === 0 && nights.length === 0
      ? html`<section><h2>No runs yet</h2></section>`
      : html`${nights.length === 0 ? undefined : nightsPart(nights)}${runs.length === 0 ? undefined : part('All runs whose folders are here', runs)}${
          tests.length < 2
            ? undefined
            : tests.map((test) =>
                part(
                  test,
                  runs.filter((run) => run.test === test),
                ),
              )
        }`,
  );
}

const colours = { green: 'valid', red: 'invalid', unknown: 'unknown' } as const;

/** Nights as their own summaries tell them: what passed counts even after its folder is gone. */
function nightsPart(nights: readonly NightSummary[]): Markup {
  const drawn = nights.map(({ id, ...night }) => ({ ...night, date: id }));
  return html`<section><h2>Nights</h2>${legend}<div class="drawing" tabindex="0">${new Markup(svgText(drawNights(drawn.slice(-nightsShownMax))))}</div>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">night</th><th scope="col">colour</th><th scope="col">valid</th><th scope="col">violations</th><th scope="col">unknown</th><th scope="col">operations</th><th scope="col">why not green</th></tr></thead>
<tbody>${nights
    .toReversed()
    .map(
      (night) =>
        html`<tr><td><a href="/?text=${encodeURIComponent(night.id)}">${night.id}</a></td><td>${pill(colours[night.colour])}</td><td>${night.valid}</td><td>${night.invalid}</td><td>${night.unknown}</td><td>${night.operations.toLocaleString('en')}</td><td>${night.reasons.slice(0, 5).join('; ')}</td></tr>`,
    )}</tbody>
</table></div></section>`;
}

/** Two runs side by side; what differs is pointed out. Reads both histories. */
export function comparePage(a: RunSummary, b: RunSummary, folders: readonly [string, string]): string {
  const [left, right] = [figuresOf(a, folders[0]), figuresOf(b, folders[1])];
  const rows = [...new Set([...left.keys(), ...right.keys()])].map((name) => {
    const values = [left.get(name) ?? '', right.get(name) ?? ''];
    const differs = values[0] !== values[1];
    return html`<tr class="${differs ? 'differs' : ''}"><td>${differs ? '≠ ' : ''}${name}</td><td>${values[0]}</td><td>${values[1]}</td></tr>`;
  });
  const head = (run: RunSummary): Markup => html`<th scope="col"><a href="${pathOf(run)}">${nameOf(run)}</a></th>`;
  return page(
    'Compare',
    html`<section><h2>Two runs</h2><table>
<thead><tr><th scope="col">what</th>${head(a)}${head(b)}</tr></thead><tbody>
<tr><td>verdict</td><td>${pill(verdictOf(a))}</td><td>${pill(verdictOf(b))}</td></tr>
${rows}</tbody></table></section>`,
  );
}

function figuresOf(run: RunSummary, folder: string): Map<string, string> {
  const { description, results } = run;
  const figures = new Map<string, string>([
    ['started', description.started],
    ['seed', String(description.seed)],
    ['world', description.world],
  ]);
  for (const [name, value] of Object.entries(description.options)) {
    figures.set(`--${name}`, typeof value === 'string' ? value : JSON.stringify(value));
  }
  for (const [name, value] of Object.entries(description.versions)) figures.set(`version of ${name}`, value);
  for (const [name, section] of Object.entries(results?.sections ?? {})) {
    figures.set(
      name,
      `${section.valid === true ? 'valid' : section.valid === false ? 'violation' : 'unknown'}: ${section.summary}`,
    );
  }
  for (const [kind, count] of anomaliesOf(run)) figures.set(`anomalies: ${kind}`, String(count));
  const operations = pairOperations(readHistory(folder).records);
  for (const outcome of ['ok', 'fail', 'info'] as const) {
    figures.set(
      `operations ${outcome}`,
      String(operations.filter((operation) => operation.outcome === outcome).length),
    );
  }
  const latencies = Float64Array.from(
    operations.flatMap(({ outcome, start, end }) =>
      outcome === 'ok' && end !== undefined ? [(end - start) / 1e6] : [],
    ),
  ).sort();
  for (const [name, q] of [
    ['median', 0.5],
    ['95 %', 0.95],
    ['99 %', 0.99],
    ['slowest', 1],
  ] as const) {
    const value = latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))];
    figures.set(`latency, ${name}`, value === undefined ? '' : `${value.toFixed(2)} ms`);
  }
  const faults = faultSpans(readFaults(folder).records);
  figures.set(
    'faults',
    faults.map((fault) => `${(fault.start / 1e9).toFixed(1)} s ${describeFault(fault)}`).join('\n'),
  );
  return figures;
}

/** A page that says what went wrong, and nothing of the machine. */
export function errorPage(status: number, message: string): string {
  return page(String(status), html`<section><h1>${message}</h1><p><a href="/">All runs</a></p></section>`);
}
