import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import yargs from 'yargs';
import { seriousFindings } from '../../results/report/accessibility.ts';
import { launchBrowser } from '../../results/report/browser.ts';
import { writeReport } from '../../results/report/build.ts';
import { writeSampleRun } from '../../results/report/sample/run.ts';
import { readResults } from '../../results/store/read.ts';
import { isAsPlanted, type PlantedRun, plantedRuns } from './planted-runs.ts';
import { movesOf } from './report-motion.ts';

const images = 'docs/images';
const largeOperations = 1_000_000;
const largeBytesMax = 20e6;
const openMsMax = 3000;
const stallMsMax = 100;
const chartsPerReport = 3;

/**
 * Makes a run of every kind from planted bugs, opens each report in a browser, light and dark, and checks what a reader
 * relies on; keeps the first screenful of each in docs/images, to be looked at. Then a report of a million operations:
 * its size, how long it takes to open, and whether it scrolls and zooms without stalls.
 * @param words `--only A,B`: only these kinds, and `large`. `--keep DIR`: where runs go, and stay
 */
export async function verifyReport(words: readonly string[]): Promise<boolean> {
  const { only, keep } = yargs([...words])
    .options({ only: { type: 'string' }, keep: { type: 'string' } })
    .strict()
    .parseSync();
  const wanted = (kind: string): boolean => only === undefined || only.split(',').includes(kind);
  const browser = await launchBrowser();
  if (browser === undefined) {
    process.stdout.write('skipped: there is no Chromium on this machine (CHROMIUM=/path/to/it says where one is)\n');
    return true;
  }
  const root = keep ?? mkdtempSync(join(tmpdir(), 'splitbrain-verify-'));
  mkdirSync(images, { recursive: true });
  let good = true;
  const tell = (claim: string, holds: boolean, seen: string): void => {
    good &&= holds;
    process.stdout.write(`${holds ? 'ok  ' : 'NOT '} ${claim}: ${seen}\n`);
  };
  try {
    const made = new Map<string, string>();
    for (const planted of plantedRuns.filter(({ kind }) => wanted(kind)))
      await show(planted, root, made, browser, tell);
    if (wanted('large')) await showLarge(root, browser, tell);
  } finally {
    await browser.close();
    if (keep === undefined) rmSync(root, { recursive: true, force: true });
  }
  return good;
}

type Tell = (claim: string, holds: boolean, seen: string) => void;

async function show(
  planted: PlantedRun,
  root: string,
  made: Map<string, string>,
  browser: Browser,
  tell: Tell,
): Promise<void> {
  const { kind } = planted;
  const below = join(root, kind);
  mkdirSync(below, { recursive: true });
  const folder = await planted.make(below, made);
  if (folder === undefined) return tell(kind, false, 'the planted bug did not show');
  made.set(kind, folder);
  const { valid, sections } = readResults(folder);
  const worst = Object.values(sections).find((section) => section.valid === valid);
  tell(kind, isAsPlanted(planted, folder), `${valid}: ${worst?.summary ?? ''} (${folder})`);
  const report = join(folder, 'report.html');
  for (const scheme of ['light', 'dark'] as const) {
    const { page, complaints } = await open(browser, report, scheme);
    await page.screenshot({ path: join(images, `report-${kind}-${scheme}.png`) });
    tell(`${kind}, ${scheme}: no error, no request`, complaints.length === 0, complaints.join('; ') || 'none');
    const serious = await seriousFindings(page);
    tell(`${kind}, ${scheme}: axe finds nothing serious`, serious.length === 0, serious.join('; ') || 'nothing');
    await page.context().close();
  }
  await showByKeys(kind, report, browser, tell);
  await showNarrow(kind, report, browser, tell);
  if (kind === 'hostile') await showHostile(report, browser, tell);
}

/** Each anomaly is opened by `n`, has the focus, and is in the address. */
async function showByKeys(kind: string, report: string, browser: Browser, tell: Tell): Promise<void> {
  const { page } = await open(browser, report, 'light');
  const count = await page.locator('.story').count();
  const reached = new Set<string>();
  for (let step = 0; step < count; step++) {
    const open = page.locator('.story > h3 > button[aria-expanded=true]');
    if ((await open.count()) === 1) reached.add((await open.getAttribute('id')) ?? '');
    await page.keyboard.press('n');
  }
  tell(`${kind}: keys reach every anomaly`, reached.size === count, `${reached.size} of ${count}`);
  await page.context().close();
}

/** On a telephone nothing but tables and pictures, which scroll by themselves, is wider than the screen. */
async function showNarrow(kind: string, report: string, browser: Browser, tell: Tell): Promise<void> {
  const { page } = await open(browser, report, 'light', 390);
  const wide = Number(await page.evaluate('document.documentElement.scrollWidth'));
  tell(`${kind}: fits a screen of 390 px`, wide <= 390, `${wide} px`);
  await page.context().close();
}

/** What is hostile is on the page as text, and made nothing of it. */
async function showHostile(report: string, browser: Browser, tell: Tell): Promise<void> {
  const { page } = await open(browser, report, 'light');
  const strange = await page.locator('main img, main script, main svg[onload], main iframe').count();
  const text = (await page.locator('#anomalies').textContent()) ?? '';
  tell('hostile: markup stays text', strange === 0 && text.includes('</script><script>'), `${strange} elements of it`);
  tell('hostile: no script ran', /^violation/.test(await page.title()), await page.title());
  const mega = (readFileSync(report).length / 1e6).toFixed(1);
  tell(
    'hostile: strings of 1 MB are shortened, and said to be',
    text.includes('(1,048,5'),
    `the report has ${mega} MB`,
  );
  await page.context().close();
}

async function showLarge(root: string, browser: Browser, tell: Tell): Promise<void> {
  const run = writeSampleRun(join(root, 'large'), { kind: 'stale-read', operations: largeOperations });
  const report = writeReport(run);
  const megabytes = statSync(report).size / 1e6;
  const name = `${largeOperations.toLocaleString('en')} operations`;
  tell(`${name}: at most 20 MB`, megabytes * 1e6 <= largeBytesMax, `${megabytes.toFixed(1)} MB`);
  const { page, since, complaints } = await open(browser, report, 'light');
  const openedMs = since();
  await page
    .locator('.chart canvas')
    .nth(chartsPerReport - 1)
    .waitFor();
  const drawnMs = since();
  tell(
    `${name}: opens within 3 s, with every chart`,
    drawnMs <= openMsMax,
    `${Math.round(openedMs)} ms, with every chart ${Math.round(drawnMs)} ms`,
  );
  for (const { move, longestTaskMs, longestAnswerMs } of await movesOf(page)) {
    tell(
      `${name}: ${move} without a stall`,
      longestTaskMs <= stallMsMax && longestAnswerMs <= stallMsMax,
      `longest task ${Math.round(longestTaskMs)} ms, longest time from input to frame ${Math.round(longestAnswerMs)} ms`,
    );
  }
  tell(`${name}: no error, no request`, complaints.length === 0, complaints.join('; ') || 'none');
  await page.context().close();
}

async function open(browser: Browser, report: string, colorScheme: 'light' | 'dark', width = 1280) {
  // A picture small enough to be kept, large enough to be read.
  const viewport = { width, height: 1400 };
  const context = await browser.newContext({ viewport, deviceScaleFactor: 0.75, colorScheme });
  const page = await context.newPage();
  const complaints: string[] = [];
  const address = pathToFileURL(report).href;
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== address) complaints.push(`request of ${request.url()}`);
  });
  const begun = performance.now();
  await page.goto(address);
  await page.waitForSelector('html[data-ready]');
  return { page, complaints, since: () => performance.now() - begun };
}
