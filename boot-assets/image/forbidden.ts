// What must not be in the image under any name: shells, interpreters other than Node, package managers, SSH. Known by what
// is in the file, so that renaming, linking or replacing a listed program does not help. Pure. Called by allow-list.ts.
// The words were taken from Debian's own binaries; allow-list.integration.test.ts tries dash and BusyBox.
import type { ElfFile } from "./elf.ts";

type Fingerprint = {
  what: string;
  /** C strings of their own, NUL before and after; all of them, or `atLeast` so many. */
  strings?: readonly string[];
  atLeast?: number;
  /** Bytes anywhere. */
  contains?: string;
  needed?: RegExp;
};

/**
 * Words that POSIX obliges a shell to know. dash has 10 of them, bash 12, mksh 11, zsh 9, BusyBox 9, yash 5; of the image's
 * own programs none has more than 2, Node 3.
 */
const SHELL_WORDS = [
  ...["OPTIND", "OPTARG", "getopts", "unalias", "umask", "CDPATH", "esac", "elif", "then", "readonly"],
  ...["IFS", "PPID", "unset"],
];

export const FINGERPRINTS: readonly Fingerprint[] = [
  { what: "a shell", strings: SHELL_WORDS, atLeast: 5 },
  { what: "a shell (csh)", strings: ["breaksw", "unalias"] },
  { what: "a shell (rc)", strings: ["apid", "ifs"] },
  // fish keeps its texts as UTF-32.
  { what: "a shell (fish)", contains: "f\0\0\0i\0\0\0s\0\0\0h\0\0\0_" },
  { what: "BusyBox", contains: "applet not found" },
  { what: "Toybox", contains: "toybox" },
  { what: "Perl", strings: ["PERL5LIB"] },
  { what: "Python", contains: "PYTHONHOME" },
  { what: "Lua", contains: "LUA_INIT" },
  { what: "PHP", strings: ["PHPRC"] },
  { what: "AWK", strings: ["RSTART", "RLENGTH"] },
  { what: "GDB", strings: ["GDBHISTFILE"] },
  { what: "an interpreter", needed: /^lib(perl|python|ruby|lua|tcl|guile|jq|mozjs|v8)/ },
  { what: "a package manager", strings: ["DPKG_ADMINDIR"] },
  { what: "a package manager", contains: "/lib/apk/db" },
  { what: "a package manager", needed: /^lib(apt-pkg|rpm|alpm|dnf|apk|opkg)/ },
  { what: "SSH", strings: ["SSH_AUTH_SOCK"] },
  { what: "SSH", strings: ["ssh-connection"] },
];

function matches({ strings, atLeast, contains, needed }: Fingerprint, bytes: Buffer, elf: ElfFile): boolean {
  if (needed !== undefined) return elf.needed.some((name) => needed.test(name));
  if (contains !== undefined) return bytes.includes(Buffer.from(contains, "latin1"));
  const found = strings!.filter((text) => bytes.includes(Buffer.from(`\0${text}\0`, "latin1"))).length;
  return found >= (atLeast ?? strings!.length);
}

/** What forbidden program an ELF file is, or undefined. */
export function findForbidden(content: Uint8Array, elf: ElfFile): string | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return FINGERPRINTS.find((fingerprint) => matches(fingerprint, bytes, elf))?.what;
}
