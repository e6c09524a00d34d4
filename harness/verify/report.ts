import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { launchBrowser } from '../../results/report/browser.ts';
import { writeReport } from '../../results/report/build.ts';
import { sampleKinds, writeSampleRun } from '../../results/report/sample-run.ts';

const images = 'docs/images';
const largeOperations = 1_000_000;
const largeBytesMax = 20e6;
const openMsMax = 3000;

/**
 * Makes a report of every kind, opens each in a browser in light and dark, and keeps a picture of it in docs/images to
 * be looked at; then one of a million operations, for its size and how long it takes to open.
 */
export async function verifyReport(): Promise<boolean> {
  const browser = await launchBrowser();
  if (browser === undefined) {
    say('skipped: there is no Chromium on this machine (CHROMIUM=/path/to/it says where one is)');
    return true;
  }
  const root = mkdtempSync(join(tmpdir(), 'splitbrain-verify-'));
  mkdirSync(images, { recursive: true });
  let good = true;
  try {
    for (const kind of sampleKinds) {
      const report = writeReport(writeSampleRun(join(root, kind), { kind }));
      for (const scheme of ['light', 'dark'] as const) {
        const { complaints } = await look(browser, report, scheme, join(images, `report-${kind}-${scheme}.png`));
        good &&= complaints.length === 0;
        say(`${kind}, ${scheme}: ${complaints.length === 0 ? 'no error, no request' : complaints.join('; ')}`);
      }
    }
    const large = writeReport(writeSampleRun(join(root, 'large'), { kind: 'stale-read', operations: largeOperations }));
    const { size } = statSync(large);
    const { openedMs } = await look(browser, large, 'light');
    say(`${largeOperations} operations: ${(size / 1e6).toFixed(1)} MB, opened in ${Math.round(openedMs)} ms`);
    good &&= size <= largeBytesMax && openedMs <= openMsMax;
  } finally {
    await browser.close();
    rmSync(root, { recursive: true, force: true });
  }
  return good;
}

async function look(
  browser: Browser,
  report: string,
  colorScheme: 'light' | 'dark',
  image?: string,
): Promise<{ readonly complaints: readonly string[]; readonly openedMs: number }> {
  // Small enough to be kept, large enough to be read.
  const context = await browser.newContext({
    viewport: { width: 1280, height: 1500 },
    deviceScaleFactor: 0.6,
    colorScheme,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const address = pathToFileURL(report).href;
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== address) complaints.push(`request of ${request.url()}`);
  });
  const begun = performance.now();
  await page.goto(address);
  await page.waitForSelector('html[data-ready]');
  const openedMs = performance.now() - begun;
  if (image !== undefined) await page.screenshot({ path: image });
  await context.close();
  return { complaints, openedMs };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
