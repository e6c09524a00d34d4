// Copies datadriven scripts without their expected output, so that what a run prints is its own.
//
//   node strip-expected.mjs IN_DIR OUT_DIR
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function strip(text) {
  const lines = text.split('\n');
  const kept = [];
  for (let i = 0; i < lines.length; i++) {
    kept.push(lines[i]);
    if (lines[i] !== '----') continue;
    if (lines[i + 1] === '----') {
      i += 2;
      while (i < lines.length && !(lines[i] === '----' && lines[i + 1] === '----')) i++;
      i += 1;
    } else {
      while (i + 1 < lines.length && lines[i + 1].trim() !== '') i++;
    }
    kept.push('');
  }
  return kept.join('\n');
}

const [from, to] = process.argv.slice(2);
for (const file of readdirSync(from).filter((name) => name.endsWith('.txt'))) {
  writeFileSync(join(to, file), strip(readFileSync(join(from, file), 'utf8')));
}
