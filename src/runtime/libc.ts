const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** Opens the C library, glibc or musl. Returns null on systems other than Linux and when it cannot be loaded. */
export function openLibc<Library>(open: (name: string) => Library): Library | null {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== "linux" || architecture === undefined) return null;
  for (const name of ["libc.so.6", `libc.musl-${architecture}.so.1`]) {
    try {
      return open(name);
    } catch {
      // The other one may exist.
    }
  }
  return null;
}
