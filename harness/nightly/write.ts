import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { indexPage } from './index-page.ts';
import { junitOf } from './junit.ts';
import { markdownOf } from './markdown.ts';
import { names, readNights } from './past.ts';
import type { Summary } from './summary.ts';

/** Writes what a night came to, for programs, CI and people, and the page of all nights anew. */
export function writeNight(root: string, night: Summary): { readonly folder: string; readonly index: string } {
  const folder = join(root, night.id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, names.summary), `${JSON.stringify(night, null, 2)}\n`);
  writeFileSync(join(folder, names.junit), junitOf(night));
  writeFileSync(join(folder, names.markdown), markdownOf(night));
  const index = join(root, names.index);
  writeFileSync(
    index,
    indexPage(readNights(root), (run) => `${address(relative(root, run))}/report.html`),
  );
  return { folder, index };
}

function address(path: string): string {
  return path.split(sep).map(encodeURIComponent).join('/');
}
