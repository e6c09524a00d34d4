import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import t from 'tap';
import { seriousFindings } from './accessibility.ts';
import { launchBrowser } from './browser.ts';
import { writeReport } from './build.ts';
import { type SampleKind, sampleKinds } from './sample/kinds.ts';
import { writeSampleRun } from './sample/run.ts';

const browser = await launchBrowser();

interface Opened {
  readonly page: Page;
  /** Errors on the console, exceptions, and requests beyond the file itself. */
  readonly complaints: string[];
}

async function open(
  running: Browser,
  path: string,
  hash = '',
  colorScheme: 'light' | 'dark' = 'light',
): Promise<Opened> {
  const context = await running.newContext({ viewport: { width: 1280, height: 900 }, colorScheme });
  const page = await context.newPage();
  const complaints: string[] = [];
  const address = pathToFileURL(path).href;
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url().split('#')[0] !== address) complaints.push(`request of ${request.url()}`);
  });
  await page.goto(`${address}${hash}`);
  await page.waitForSelector('html[data-ready]');
  return { page, complaints };
}

/** One page of each kind in light, for tests that only look at it. */
const untouched = new Map<SampleKind, Promise<Opened>>();

function look(kind: SampleKind): Promise<Opened> {
  const opened = untouched.get(kind) ?? open(running, reportOf(kind));
  untouched.set(kind, opened);
  return opened;
}

const folders = new Map<SampleKind, string>();
const root = t.testdir();
if (browser !== undefined) {
  for (const kind of sampleKinds) folders.set(kind, writeReport(writeSampleRun(join(root, kind), { kind })));
}
t.teardown(() => browser?.close());
const skip = browser === undefined ? 'no Chromium on this machine: the report was not opened in a browser' : false;
const running = browser as Browser;
const reportOf = (kind: SampleKind): string => folders.get(kind) ?? '';

t.test(
  'each kind opens from disk, in light and dark, with no error, no request and nothing that axe finds serious',
  { skip },
  async (t) => {
    for (const kind of sampleKinds) {
      // The dark is one style for all: two kinds with everything in them show it.
      for (const scheme of kind === 'cycle' || kind === 'unknown'
        ? (['light', 'dark'] as const)
        : (['light'] as const)) {
        const isDark = scheme === 'dark';
        const { page, complaints } = await (isDark ? open(running, reportOf(kind), '', scheme) : look(kind));
        t.match(await page.title(), /^(valid|violation|unknown): /);
        t.equal(await page.locator('h1').count(), 1);
        t.same(await seriousFindings(page), [], `${kind}, ${scheme}`);
        t.same(complaints, [], `${kind}, ${scheme}`);
        if (isDark) await page.context().close();
      }
    }
  },
);

/** What a reader must find on the page of a kind of run, in this order. */
const points: { readonly [kind in SampleKind]?: readonly RegExp[] } = {
  'stale-read': [
    /^✕\s*Violation\s*process 903 read 9000/,
    /What was checked\s*✕\s*linear key "stale" is not linearizable/,
    /See it again[\s\S]*npx splitbrain test .*--seed 42[\s\S]*replay[\s\S]*shrink[\s\S]*check/,
    /What was not checked\s*Only these faults were injected/,
    /Broken promise Every operation takes effect once/,
    /What the clients saw[\s\S]*▶ read → 9000/,
    /Expected against seen[\s\S]*the register holds 9001\s+read → 9001\s+read → 9000/,
    /The longest orders that were found, and why none goes on[\s\S]*is refused/,
    /Faults meanwhile[\s\S]*Nodes meanwhile[\s\S]*leader of term 3/,
    /The nodes' logs[\s\S]*The whole logs\s*nodes\/1\/node.log/,
  ],
  cycle: [
    /T1 < T2, because T2 appended 17 to key y/,
    /T1 would have to come before itself/,
    /The cycle\s*ww\s*wr\s*rw/,
  ],
  'lost-write': [
    /What its client was told\s+acknowledged by node 2/,
    /Nodes that lack it\s+2, 3, 4, 5/,
    /index\s+term\s+effect\s+on nodes\s+411\s+3\s+applied\s+1/,
  ],
  unknown: [/^\?\s*Unknown\s*the partition at 12.5 s was asked for, but node 3 still answered node 1/],
  valid: [/^✓\s*Valid\s*No violation was found/],
};

t.test(
  'what broke, by which operations, what went on meanwhile and how to see it again are on the page',
  { skip },
  async (t) => {
    for (const kind of sampleKinds) {
      const { page } = await look(kind);
      const text = (await page.locator('.verdict, #anomalies').allInnerTexts()).join('\n');
      let from = 0;
      for (const point of points[kind] ?? []) {
        const at = text.slice(from).search(point);
        t.ok(at >= 0, `${kind}: ${point}`);
        from += Math.max(at, 0);
      }
      untouched.delete(kind);
      await page.context().close();
    }
  },
);

t.test('a pointer on the timeline is at the same time in every chart', { skip }, async (t) => {
  const { page } = await open(running, reportOf('stale-read'));
  await page.locator('.chart canvas').nth(2).waitFor();
  await page.locator('.lanes').scrollIntoViewIfNeeded();
  const box = await page.locator('.lanes').boundingBox();
  await page.mouse.move((box?.x ?? 0) + 600, (box?.y ?? 0) + 30);
  const lines = await page.locator('.chart .u-cursor-x').evaluateAll((all) => all.map((line) => line.style.transform));
  t.same(lines, Array(3).fill('translate(468px, 0px)'), '600 px less the names on the left');
  await page.context().close();
});

t.test('keys alone reach every anomaly, and the address says which', { skip }, async (t) => {
  const { page } = await open(running, reportOf('lost-write'));
  const expanded = (): Promise<string[]> => page.locator('.story > h3 > button[aria-expanded=true]').allTextContents();
  t.match(await expanded(), [/1 of 2/]);
  await page.keyboard.press('n');
  t.match(await expanded(), [/2 of 2/]);
  // The focus goes along.
  await page.locator('#anomaly-1:focus').waitFor();
  await page.waitForURL(/a=2/);
  await page.keyboard.press('n');
  t.match(await expanded(), [/2 of 2/], 'the last is the last');
  await page.keyboard.press('p');
  t.match(await expanded(), [/1 of 2/]);
  await page.keyboard.press('?');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.keyboard.press('/');
  await page.locator('input[type=search]:focus').waitFor();
  await page.keyboard.type('wasd');
  t.equal(await page.locator('input[type=search]').inputValue(), 'wasd', 'what is typed is not taken for a command');
  await page.context().close();
});

t.test('an address shows the same again', { skip }, async (t) => {
  const { page } = await open(running, reportOf('stale-read'), '#t=20-30&group=node&q=&op=1082');
  t.equal(await page.locator('select').inputValue(), 'node');
  t.match(await page.locator('.pinned').textContent(), /Pinned.*write 9001.*history 1082, 1084/);
  await page.keyboard.press('w');
  await page.waitForURL(/t=21\.5-28\.5/);
  await page.keyboard.press('0');
  await page.waitForURL(/t=0-6/);
  await page.context().close();
});

t.test('letters and, in the timeline, arrows zoom and pan, and the address follows', { skip }, async (t) => {
  const { page } = await open(running, reportOf('stale-read'), '#t=20-30');
  const keys: readonly (readonly [key: string, stretch: RegExp])[] = [
    ['w', /t=21\.5-28\.5/],
    ['s', /t=20-30/],
    ['d', /t=22-32/],
    ['a', /t=20-30/],
    ['ArrowUp', /t=21\.5-28\.5/],
    ['ArrowDown', /t=20-30/],
    ['ArrowRight', /t=22-32/],
    ['ArrowLeft', /t=20-30/],
  ];
  for (const [key, stretch] of keys) {
    if (key === 'ArrowUp') await page.locator('.lanes').focus();
    await page.keyboard.press(key);
    await page.waitForURL(stretch);
    t.match(page.url(), stretch, key);
  }
  await page.context().close();
});

t.test('nothing moves by itself for who wants no motion', { skip }, async (t) => {
  const { page } = await open(running, reportOf('valid'));
  const behaviour = (): Promise<unknown> => page.evaluate('getComputedStyle(document.documentElement).scrollBehavior');
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  t.equal(await behaviour(), 'smooth');
  await page.emulateMedia({ reducedMotion: 'reduce' });
  t.equal(await behaviour(), 'auto');
  t.equal(await page.evaluate('document.getAnimations().length'), 0);
  await page.context().close();
});

t.test('in the timeline, keys go from operation to operation, and say which', { skip }, async (t) => {
  const { page } = await open(running, reportOf('valid'));
  await page.locator('.lanes').focus();
  await page.keyboard.press('.');
  const first = await page.locator('.pinned').textContent();
  t.match(first, /Pinned/);
  await page.keyboard.press('.');
  const second = await page.locator('.pinned').textContent();
  t.not(second, first);
  await page.keyboard.press(',');
  t.equal(await page.locator('.pinned').textContent(), first);
  await page.keyboard.press('Escape');
  t.notMatch(await page.locator('.pinned').textContent(), /Pinned/);
  await page.context().close();
});

t.test(
  'a pointer on an operation tells its facts, and so does the focus on a bar of an anomaly',
  { skip },
  async (t) => {
    const { page } = await open(running, reportOf('stale-read'));
    await page.getByRole('button', { name: 'Show it in the timeline' }).click();
    t.match(await page.locator('.pinned').textContent(), /read → 9000/);
    const bar = page.locator('.barof').first();
    await bar.focus();
    const facts = /write 9000 · key "stale" · process 900 · ok · node 1/;
    t.match(await bar.getAttribute('aria-label'), facts);
    t.match(await page.locator('.drawn .tip').textContent(), facts, 'and not only to who hears the page');
    await page.keyboard.press('Shift+Tab');
    await page.locator('.drawn .tip').waitFor({ state: 'detached' });
    await page.context().close();
  },
);

t.test('hostile keys and values stay text', { skip }, async (t) => {
  const { page, complaints } = await open(running, reportOf('hostile'));
  t.match(await page.title(), /^violation: register/, 'no script changed it');
  t.equal(await page.locator('main img, main svg[onload], main script').count(), 0);
  t.match(
    await page.locator('.checks').textContent(),
    /<\/script><script>document\.title="owned"<\/script> is not linearizable/,
  );
  await page.keyboard.press('/');
  await page.keyboard.type('<img src=x onerror');
  await page.waitForTimeout(100);
  t.same(complaints, []);
  await page.context().close();
});

t.test('a hundred thousand operations open and move without long stalls', { skip }, async (t) => {
  const path = writeReport(writeSampleRun(join(root, 'large'), { kind: 'stale-read', operations: 100_000 }));
  const begun = performance.now();
  const { page, complaints } = await open(running, path);
  const openedMs = performance.now() - begun;
  t.comment(`opened in ${Math.round(openedMs)} ms`);
  t.ok(openedMs < 6000, 'twice the 3 s that a quiet machine is allowed');
  await page.evaluate(`
    window.stalls = [];
    new PerformanceObserver((list) => stalls.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
  `);
  for (const key of ['w', 'w', 'd', 'd', 's', 'a', 'w', 'w', 'w', '0']) await page.keyboard.press(key, { delay: 30 });
  const stalls = (await page.evaluate('stalls')) as number[];
  t.comment(`long tasks while zooming: ${stalls.map(Math.round).join(', ')} ms`);
  t.same(complaints, []);
  await page.context().close();
});
