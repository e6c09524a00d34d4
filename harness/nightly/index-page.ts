import { type SvgNode, svg, svgText } from '../../results/report/picture/svg.ts';
import { html, Markup } from '../../results/serve/markup.ts';
import { styleSheet } from '../../results/serve/style.ts';
import type { Summary } from './summary.ts';

const nightsShownMax = 400;
const groupsShownMax = 500;
const words = { green: '✓ green', red: '✕ red', unknown: '? unknown' } as const;
const looks = { green: 'valid', red: 'bad', unknown: 'unknown' } as const;

/**
 * One offline page of all nights: verdicts, what failed with its runs one click away, and how figures went over time.
 * @param nights the earliest first
 * @param link a run's folder as the page can reach it
 */
export function indexPage(nights: readonly Summary[], link: (folder: string) => string): string {
  const shown = nights.slice(-nightsShownMax);
  const latest = shown.at(-1);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Nights · splitbrain</title>
<style>${new Markup(styleSheet())}</style>
</head>
<body>
<header class="bar"><span class="brand">splitbrain</span> nights</header>
<main>
${latest === undefined ? html`<section><h1>No night yet</h1></section>` : latestSection(latest)}
${groupsSection(shown, link)}
${trendsSection(shown)}
${nightsSection(shown)}
</main>
</body>
</html>
`.text;
}

function latestSection({ id, colour, reasons, canaries, cells }: Summary): Markup {
  return html`<section><p>${pill(colour)}</p><h1>Night ${id}</h1>
${reasons.length === 0 ? html`<p>Everything that was to be looked at was looked at, and nothing was found.</p>` : html`<ul>${reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
<h2>Canaries</h2>
${table(
  ['canary', 'must', 'as it should be', 'told'],
  canaries.map(({ name, must, good, told }) => [name, must, good ? '✓ yes' : '✕ no', told]),
)}
<h2>Runs</h2>
${table(
  ['what', 'valid', 'invalid', 'unknown', 'operations', 'seconds'],
  cells.map(({ name, valid, invalid, unknown, operations, tookMs }) => [
    name,
    valid,
    invalid,
    unknown,
    operations,
    Math.round(tookMs / 1000),
  ]),
)}</section>`;
}

/** A row a signature, over all nights, the latest seen first. */
function groupsSection(nights: readonly Summary[], link: (folder: string) => string): Markup {
  const rows = new Map<string, { count: number; nights: number; latest: Summary['groups'][number] }>();
  for (const { groups } of nights) {
    for (const group of groups) {
      const row = rows.get(group.signature);
      rows.set(group.signature, {
        count: (row?.count ?? 0) + group.count,
        nights: (row?.nights ?? 0) + 1,
        latest: group,
      });
    }
  }
  const all = [...rows.values()].sort((a, b) => (a.latest.last < b.latest.last ? 1 : -1)).slice(0, groupsShownMax);
  if (all.length === 0) return html`<section><h2>No violations</h2></section>`;
  return html`<section><h2>Violations by signature</h2><div class="scroll" tabindex="0" role="region" aria-label="violations"><table>
<thead><tr><th scope="col">signature</th><th scope="col">runs</th><th scope="col">nights</th><th scope="col">first</th><th scope="col">last</th><th scope="col">smallest</th><th scope="col">came back</th><th scope="col">failing runs</th></tr></thead>
<tbody>${all.map(({ count, nights: seen, latest }) => {
    const [smallest] = latest.examples;
    const shrunk = smallest?.shrunk;
    return html`<tr><td><b>${latest.signature}</b><br>${latest.summary}</td><td>${count}</td><td>${seen}</td>
<td>${latest.first.slice(0, 10)}</td><td>${latest.last.slice(0, 10)}</td>
<td>${shrunk === undefined ? '' : html`<a href="${link(shrunk.folder)}">${shrunk.operations} operations, ${shrunk.faults} faults</a>`}<br><code>${smallest?.command}</code></td>
<td>${smallest === undefined ? '' : `${smallest.replay.cameBack} of ${smallest.replay.times}`}</td>
<td>${latest.runs.slice(0, 10).map(({ folder, seed }) => html`<a href="${link(folder)}">${seed}</a> `)}</td></tr>`;
  })}</tbody></table></div></section>`;
}

interface Trend {
  readonly title: string;
  readonly of: (night: Summary) => number | undefined;
}

const trends: readonly Trend[] = [
  {
    title: 'runs and seeds',
    of: ({ cells }) => sum(cells.map(({ valid, invalid, unknown }) => valid + invalid + unknown)),
  },
  { title: 'violations', of: ({ cells }) => sum(cells.map(({ invalid }) => invalid)) },
  { title: 'unknown', of: ({ cells }) => sum(cells.map(({ unknown }) => unknown)) },
  { title: 'operations', of: ({ cells }) => sum(cells.map(({ operations }) => operations)) },
  {
    title: 'virtual seconds a second of simulation',
    of({ cells }) {
      const took = sum(cells.filter(({ virtualMs }) => virtualMs > 0).map(({ tookMs }) => tookMs));
      return took === 0 ? undefined : sum(cells.map(({ virtualMs }) => virtualMs)) / took;
    },
  },
  {
    title: 'interesting things that no seed reached',
    of: ({ coverage }) => Object.values(coverage).filter((count) => count === 0).length,
  },
  {
    title: 'seconds to find the planted bug',
    of: ({ canaries }) => canaries.find(({ seconds }) => seconds !== undefined)?.seconds,
  },
];

function trendsSection(nights: readonly Summary[]): Markup {
  return html`<section><h2>Trends</h2>${trends.map(({ title, of }) => {
    const points = nights.flatMap((night) => {
      const value = of(night);
      return value === undefined ? [] : [{ night: night.started.slice(0, 10), value }];
    });
    return html`<h3>${title}</h3><div class="drawing">${new Markup(svgText(drawn(title, points)))}</div>
<details><summary>as a table</summary>${table(
      ['night', title],
      points.map(({ night, value }) => [night, rounded(value)]),
    )}</details>`;
  })}${huntsTable(nights)}</section>`;
}

/** How long each planted bug took to find, whenever it was the canary. */
function huntsTable(nights: readonly Summary[]): Markup {
  const rows = nights.flatMap(({ started, canaries }) =>
    canaries.flatMap(({ mutant, seconds, good, must }) =>
      must === 'fail' && mutant !== undefined
        ? [[started.slice(0, 10), mutant, good ? 'found' : 'not found', seconds ?? '']]
        : [],
    ),
  );
  return html`<h3>planted bugs, as canaries</h3>${table(['night', 'planted bug', '', 'seconds'], rows)}`;
}

const width = 640;
const height = 120;

function drawn(title: string, points: readonly { readonly night: string; readonly value: number }[]): SvgNode {
  const most = Math.max(1e-9, ...points.map(({ value }) => value));
  const step = (width - 70) / Math.max(1, points.length);
  const bars = points.map(({ night, value }, at) => {
    const size = (value / most) * (height - 40);
    return svg(
      'rect',
      {
        class: 'op ok',
        x: 60 + at * step,
        y: height - 20 - size,
        width: Math.max(1, Math.min(24, step - 2)),
        height: size,
      },
      svg('title', {}, `${night}: ${rounded(value)}`),
    );
  });
  return svg(
    'svg',
    {
      class: 'pic',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': `${title}, a column a night`,
    },
    svg('line', { class: 'rule', x1: 56, y1: height - 20, x2: width, y2: height - 20 }),
    svg('text', { class: 'quiet small', x: 50, y: 24, 'text-anchor': 'end' }, points.length === 0 ? '' : rounded(most)),
    svg('text', { class: 'quiet small', x: 50, y: height - 18, 'text-anchor': 'end' }, '0'),
    ...bars,
    svg('text', { class: 'quiet small', x: 60, y: height - 4 }, points[0]?.night ?? ''),
  );
}

function nightsSection(nights: readonly Summary[]): Markup {
  return html`<section><h2>All nights</h2><div class="scroll" tabindex="0" role="region" aria-label="nights"><table>
<thead><tr><th scope="col">night</th><th scope="col">colour</th><th scope="col">runs</th><th scope="col">operations</th><th scope="col">code</th><th scope="col">why</th></tr></thead>
<tbody>${nights.toReversed().map(
    ({
      id,
      colour,
      cells,
      code,
      reasons,
    }) => html`<tr><td><a href="${encodeURIComponent(id)}/summary.md">${id}</a></td><td>${pill(colour)}</td>
<td>${sum(cells.map(({ valid, invalid, unknown }) => valid + invalid + unknown))}</td><td>${sum(cells.map(({ operations }) => operations))}</td><td>${code}</td><td>${reasons[0] ?? ''}</td></tr>`,
  )}</tbody></table></div></section>`;
}

function pill(colour: Summary['colour']): Markup {
  return html`<span class="pill ${looks[colour]}">${words[colour]}</span>`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${head.join(', ')}"><table><thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

function rounded(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
