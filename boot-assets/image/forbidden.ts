// What must not be in the image under any name: shells, interpreters other than Node, package managers, SSH. Known by what
// is in the file, so that renaming, linking or replacing a listed program does not help. Pure. Called by allow-list.ts.
import type { ElfFile } from "./elf.ts";

/** All `strings` stand in the file as C strings of their own, or one `needed` library is asked for. */
type Fingerprint = { what: string; strings?: readonly string[]; needed?: RegExp };

/** Variables and built-ins that POSIX obliges every shell to know: dash, bash, ksh, zsh, BusyBox's ash and hush. */
const POSIX_SHELL = ["OPTIND", "IFS", "PS1", "unset"];

export const FINGERPRINTS: readonly Fingerprint[] = [
  { what: "a POSIX shell", strings: POSIX_SHELL },
  { what: "BusyBox", strings: ["applet not found\n"] },
  { what: "BusyBox", strings: ["busybox", "ash"] },
  { what: "Toybox", strings: ["toybox"] },
  { what: "Perl", strings: ["PERL5LIB"], needed: /^libperl\.so/ },
  { what: "Python", strings: ["PYTHONHOME"], needed: /^libpython/ },
  { what: "Ruby", strings: ["RUBYOPT"], needed: /^libruby/ },
  { what: "Lua", strings: ["LUA_INIT"], needed: /^liblua/ },
  { what: "Tcl", strings: ["TCLLIBPATH"], needed: /^libtcl/ },
  { what: "PHP", strings: ["PHPRC"] },
  { what: "AWK", strings: ["RSTART", "RLENGTH", "SUBSEP"] },
  { what: "QuickJS", strings: ["qjs"] },
  { what: "GDB", strings: ["GDBHISTFILE"] },
  { what: "a package manager", strings: ["DPKG_ADMINDIR"], needed: /^lib(apt-pkg|rpm|alpm|dnf|apk)\b/ },
  { what: "a package manager", strings: ["/lib/apk/db"] },
  { what: "SSH", strings: ["SSH_AUTH_SOCK"] },
  { what: "SSH", strings: ["SSH_CONNECTION"] },
  { what: "SSH", strings: ["ssh-connection"] },
];

/** A C string of its own: NUL before and after (or the file's edge). */
function hasString(bytes: Buffer, text: string): boolean {
  return bytes.includes(Buffer.from(`\0${text}\0`, "latin1"));
}

/**
 * What forbidden program an ELF file is, or undefined.
 *
 * Node itself knows names of others' variables; it is exempt by its place in the allow-list, not by its content.
 */
export function findForbidden(content: Uint8Array, elf: ElfFile): string | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return FINGERPRINTS.find(
    ({ strings, needed }) =>
      (strings?.every((text) => hasString(bytes, text)) ?? false) ||
      (needed !== undefined && elf.needed.some((name) => needed.test(name))),
  )?.what;
}
