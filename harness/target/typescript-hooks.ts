/**
 * Module hooks (Node's `module.register`) that compile TypeScript as it is imported, with everything that it imports
 * itself. Types are erased, not checked.
 */
import { readFileSync } from 'node:fs';
import type { LoadHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  inlineSourceMap: true,
};

export const load: LoadHook = async (url, context, nextLoad) => {
  if (!url.startsWith('file:') || !/\.m?ts$/.test(new URL(url).pathname)) return nextLoad(url, context);
  const fileName = fileURLToPath(url);
  const { outputText, diagnostics = [] } = ts.transpileModule(readFileSync(fileName, 'utf8'), {
    fileName,
    compilerOptions,
    reportDiagnostics: true,
  });
  const [mistake] = diagnostics;
  if (mistake !== undefined) {
    const { line } = mistake.file?.getLineAndCharacterOfPosition(mistake.start ?? 0) ?? { line: 0 };
    throw new Error(`line ${line + 1}: ${ts.flattenDiagnosticMessageText(mistake.messageText, ' ')}`);
  }
  return { format: 'module', source: outputText, shortCircuit: true };
};
