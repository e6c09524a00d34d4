import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type ts from 'typescript';
import { applyEdit, type Mutant } from './mutant.ts';

/** The repository: this file runs as `dist/harness/mutants/plant.js`. */
const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Loaded where a bug is planted: nothing else should wait for a compiler. */
function compiler(): typeof ts {
  return createRequire(import.meta.url)('typescript');
}

/**
 * Compiles a copy of the system with a bug in it.
 *
 * The copy stands below `dist/`, where packages resolve as for the original, in a folder named for its content,
 * so that runs side by side share it and a change of the source makes a new one.
 *
 * @returns the folder that takes the place of `dist/system`
 * @throws EditMisfit when an edit does not fit the source
 */
export function plant(mutant: Mutant): string {
  const { transpileModule } = compiler();
  const edited = editedSources(mutant).map(({ file, text }) => {
    const { outputText } = transpileModule(text, { compilerOptions: compilerOptions(), fileName: file });
    return { file: file.replace(/\.ts$/, '.js'), text: outputText };
  });
  const original = join(repository, 'dist', 'system');
  const stamp = readFileSync(join(repository, 'dist', '.tsbuildinfo'));
  const hash = createHash('sha256').update(stamp).update(JSON.stringify(edited)).digest('hex').slice(0, 12);
  const home = join(repository, 'dist', 'mutants', `${mutant.name}-${hash}`);
  if (existsSync(home)) return join(home, 'system');

  const draft = `${home}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  cpSync(original, join(draft, 'system'), { recursive: true, filter: (path) => !/\.test\.js(\.map)?$/.test(path) });
  // The doors are shared: a simulated port's error must be of the class that the copy looks for.
  writeFileSync(join(draft, 'system', 'ports.js'), "export * from '../../../system/ports.js';\n");
  for (const { file, text } of edited) writeFileSync(join(draft, file), text);
  try {
    renameSync(draft, home);
  } catch (error) {
    // Another run planted the same at the same moment; its copy is as good.
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
  return join(home, 'system');
}

/** The mutant's files after all its edits. */
export function editedSources(mutant: Mutant): { file: string; text: string }[] {
  const texts = new Map<string, string>();
  for (const edit of mutant.edits) {
    const text = texts.get(edit.file) ?? readFileSync(join(repository, edit.file), 'utf8');
    texts.set(edit.file, applyEdit(text, edit));
  }
  return [...texts].map(([file, text]) => ({ file, text }));
}

/** Type errors that the edits bring, as text; none for a good mutant. */
export function typeErrors(mutants: readonly Mutant[]): string[] {
  const ts = compiler();
  const { options, fileNames } = parseConfig();
  const system = fileNames.filter((file) => file.startsWith(join(repository, 'system')));
  const host = ts.createCompilerHost(options);
  // Parsing is most of the work, and nearly all files are the same for all mutants.
  const unedited = new Map<string, ts.SourceFile | undefined>();
  return inGroups(mutants).flatMap((edited) => {
    const getSourceFile: ts.CompilerHost['getSourceFile'] = (file, language) => {
      const edit = edited.get(file);
      if (edit !== undefined) return ts.createSourceFile(file, edit.text, language);
      if (!unedited.has(file)) unedited.set(file, host.getSourceFile(file, language));
      return unedited.get(file);
    };
    const settings = { ...options, noEmit: true, incremental: false };
    const program = ts.createProgram(system, settings, { ...host, getSourceFile });
    return [...edited].flatMap(([file, { mutant }]) => {
      const source = program.getSourceFile(file);
      const found = program.getSemanticDiagnostics(source).concat(program.getSyntacticDiagnostics(source));
      return found.map((d) => `${mutant}: ${file}: ${ts.flattenDiagnosticMessageText(d.messageText, '\n')}`);
    });
  });
}

interface EditedFile {
  readonly mutant: string;
  readonly text: string;
}

/** Mutants that edit different files can be compiled together. @returns of each group the edited files by path */
function inGroups(mutants: readonly Mutant[]): readonly ReadonlyMap<string, EditedFile>[] {
  const groups: Map<string, EditedFile>[] = [];
  for (const mutant of mutants) {
    const own = editedSources(mutant).map(({ file, text }) => [join(repository, file), text] as const);
    let group = groups.find((one) => !own.some(([file]) => one.has(file)));
    if (group === undefined) {
      group = new Map();
      groups.push(group);
    }
    for (const [file, text] of own) group.set(file, { mutant: mutant.name, text });
  }
  return groups;
}

/** A file compiled by itself does not see that its package is made of ES modules. */
function compilerOptions(): ts.CompilerOptions {
  const { ModuleKind, ModuleResolutionKind } = compiler();
  const { options } = parseConfig();
  return {
    ...options,
    module: ModuleKind.ESNext,
    moduleResolution: ModuleResolutionKind.Bundler,
    sourceMap: false,
  };
}

function parseConfig(): ts.ParsedCommandLine {
  const ts = compiler();
  const path = join(repository, 'tsconfig.json');
  const read = ts.readConfigFile(path, (file) => readFileSync(file, 'utf8'));
  return ts.parseJsonConfigFileContent(read.config, ts.sys, repository);
}
