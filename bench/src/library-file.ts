const LIBRARY = /\/packages\/postrider\/(?:src|dist)\/(.+)\.(?:ts|js)$/;

/** The library's own name for one of its files, without ending: `envelope/json`; undefined for any other file. */
export function libraryFile(url: string): string | undefined {
  return LIBRARY.exec(url)?.[1];
}
