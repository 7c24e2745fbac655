// Which Debian packages are needed, and for what. need-packages.mjs installs those that are missing, for the purpose at hand.

/** purpose → package → why. */
export const PACKAGES = {
  /** Network namespaces, and virtual machines with real firmware. */
  lab: {
    iproute2: "namespaces, bridges and taps",
    "qemu-system-x86": "amd64 machines",
    "qemu-system-arm": "arm64 machines",
    seabios: "BIOS firmware",
    "ipxe-qemu": "the iPXE ROM of the BIOS machine's network card",
    ovmf: "UEFI firmware, amd64",
    "qemu-efi-aarch64": "UEFI firmware, arm64",
    mtools: "the disk that says so when it is booted",
    "dnsmasq-base": "the site's own DHCP server beside us (proxy mode)",
    "systemd-container": "container nodes: the OS image's root under systemd-nspawn",
    xfsprogs: "a container node's own /var",
  },
  /** Independent peers and measuring tools of the integration tests. */
  tests: {
    iproute2: "namespaces, bridges and taps",
    "dnsmasq-base": "another DHCP server on the same wire",
    udhcpc: "a DHCP client that is not ours",
    "isc-dhcp-client": "a DHCP client that is not ours",
    "isc-dhcp-relay": "a DHCP relay that is not ours",
    "tftp-hpa": "a TFTP client that is not ours",
    atftp: "a TFTP client with RFC 2347 options that is not ours",
    curl: "an HTTP and TFTP client that is not ours",
    tcpdump: "what was really sent",
    procps: "sysctl, for the relay's namespace",
    netbase: "the names of ports, which atftp looks up",
    openssl: "a second opinion on certificates",
    busybox: "the program in the workload images of test clusters",
    cpio: "a second opinion on the initramfs",
    gdisk: "a second opinion on partition tables",
    dosfstools: "FAT file systems, made and checked",
    xfsprogs: "a file system that is not ours, to be told from a blank disk",
    mtools: "files on FAT without mounting it",
    efibootmgr: "a second opinion on firmware boot entries",
    "grub-common": "a second opinion on GRUB's environment block and script",
    strace: "the order of fdatasync and send",
    "systemd-container": "the OS image as a container",
  },
};
