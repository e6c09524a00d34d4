import { styleText } from 'node:util';
import type { Valid } from '../../checker/verdict.ts';

type Format = Parameters<typeof styleText>[0];

/** Colours text for a stream that is a terminal, unless NO_COLOR is set (no-color.org). */
export function styler(stream: { readonly isTTY?: boolean }): (format: Format, text: string) => string {
  const coloured = stream.isTTY === true && !process.env.NO_COLOR;
  return (format, text) => (coloured ? styleText(format, text) : text);
}

export const verdictWords: ReadonlyMap<Valid, { readonly word: string; readonly format: Format }> = new Map<
  Valid,
  { readonly word: string; readonly format: Format }
>([
  [true, { word: 'valid', format: 'green' }],
  [false, { word: 'INVALID', format: 'red' }],
  ['unknown', { word: 'unknown', format: 'yellow' }],
]);
